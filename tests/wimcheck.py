#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares an image of two WIMs as wimlib-imagex sees them, entry by entry.

  wimcheck.py OLD.wim NEW.wim INDEX EXPECTED [anywhere]

EXPECTED is a file of lines "add PATH", "replace PATH", "mkdir PATH", "remove PATH",
"move FROM TO" or "attr PATH HEX". Everything else must be equal: names, short names,
attributes, security descriptors, times, contents, hard links and streams. A replaced file
keeps all but content and write time; what is new has a security descriptor without a new
write right for Everyone or Users. All other images must have the same metadata resource,
at the same place unless "anywhere" is given.
"""
import re
import struct
import subprocess
import sys

WRITE = 0x2 | 0x4 | 0x10 | 0x40 | 0x100 | 0x10000 | 0x40000 | 0x80000 | 0x50000000
EVERYONE = (1, 0)
USERS = (5, 32, 545)


def run(*args):
    return subprocess.run(args, check=True, capture_output=True).stdout.decode("utf-8", "surrogateescape")


def entries(wim, index):
    """Path -> what is known of it; the link group as the set of its names."""
    found = {}
    for block in run("wimlib-imagex", "dir", wim, index, "--detailed").split("-" * 76 + "\n"):
        if not block.strip():
            continue
        lines = block.splitlines()
        entry = {"streams": []}
        path = None
        for i, line in enumerate(lines):
            m = re.match(r"(Full Path|Short Name)\s+= \"(.*)\"$", line)
            if m and m[1] == "Full Path":
                path = m[2]
            elif m:
                entry["short"] = m[2]
            elif m := re.match(r"(Attributes|Security Descriptor|Creation Time|Last Write Time|"
                               r"Last Access Time|Link Group ID|Link Count|Reparse Tag|Object ID)\s+= (.*)$", line):
                entry[m[1]] = m[2]
            elif line.endswith("stream:") or line.startswith("\tData stream"):
                entry["streams"].append((line.strip(), lines[i + 1]))
        # A name that is its own short name has no other one (wimlib says so, or nothing).
        if path is not None and entry.get("short") in ("", path.rsplit("/", 1)[-1]):
            del entry["short"]
        found[path] = entry
    groups = {}
    for path, entry in found.items():
        group = entry.pop("Link Group ID", "0")
        if int(group, 16):
            groups.setdefault(group, set()).add(path)
            entry["links"] = groups[group]
    return found


def parent(path):
    return path.rsplit("/", 1)[0] or "/"


def grants(descriptor):
    """(SID, mask) of every access-allowed ACE that applies to the object itself."""
    sd = bytes.fromhex(descriptor)
    control, dacl = struct.unpack_from("<H", sd, 2)[0], struct.unpack_from("<I", sd, 16)[0]
    assert sd[0] == 1 and control & 0x8004 == 0x8004 and dacl, "no self-relative DACL"
    for field in (4, 8):
        assert struct.unpack_from("<I", sd, field)[0], "no owner or group"
    at, result = dacl + 8, []
    for _ in range(struct.unpack_from("<H", sd, dacl + 4)[0]):
        kind, flags, size, mask = struct.unpack_from("<BBHI", sd, at)
        sid = (int.from_bytes(sd[at + 10:at + 16], "big"),) + struct.unpack_from("<%dI" % sd[at + 9], sd, at + 16)
        if kind == 0 and not flags & 8:
            result.append((sid, mask))
        at += size
    return result


def main():
    old_wim, new_wim, index, expected = sys.argv[1:5]
    fields = r"Hash .*" if len(sys.argv) > 5 else r".*"
    old, new = entries(old_wim, index), entries(new_wim, index)
    problems, touched, moved = [], {}, {}
    for line in open(expected, encoding="utf-8"):
        words = line.split()
        if not words:
            continue
        touched[words[1]] = words
        if words[0] == "move":
            moved[words[1]] = words[2]

    def state(path):
        return touched.get(path, ["same"])[0]

    def under(path, kinds):
        return any(state(p) in kinds and (path == p or path.startswith(p + "/")) for p in touched)

    def translated(path):
        for a, b in moved.items():
            if path == a or path.startswith(a + "/"):
                return b + path[len(a):]
        return path

    def same(path, a, b, but=()):
        for key in sorted(set(a) | set(b)):
            left, right = a.get(key), b.get(key)
            if key == "links":
                # Names that were replaced or removed leave their group.
                keep = lambda names: {n for n in names if state(n) != "replace" and not under(n, ("remove",))}
                left, right = keep({translated(n) for n in left or ()}), keep(set(right or ()))
                left, right = (left if len(left) > 1 else set()), (right if len(right) > 1 else set())
            if key == "Link Count":
                continue
            if left != right and key not in but:
                problems.append(f"{path}: {key} was {left}, is {right}")

    compared = 0
    for path, entry in old.items():
        to, kind = translated(path), state(path)
        if under(path, ("remove",)) and kind != "replace":
            if path in new and state(path) == "remove":
                problems.append(f"{path}: is still there")
            continue
        if to not in new:
            problems.append(f"{to}: is gone")
            continue
        compared += 1
        but = ()
        if kind == "replace":
            but = ("Last Write Time", "streams", "links")
            if entry["streams"] == new[to]["streams"]:
                problems.append(f"{to}: still has the old content")
            if not entry.get("Security Descriptor"):
                but += ("Security Descriptor",)
        elif kind == "move":
            but = ("short",)
        elif kind == "attr":
            but = ("Attributes",)
            if int(new[to]["Attributes"], 16) != int(touched[path][2], 16):
                problems.append(f"{to}: attributes are {new[to]['Attributes']}")
        same(to, entry, new[to], but)
    for path in new.keys() - {translated(p) for p in old}:
        if state(path) not in ("add", "mkdir"):
            problems.append(f"{path}: appeared")
    for path, words in touched.items():
        if words[0] not in ("add", "mkdir", "replace"):
            continue
        if path not in new:
            problems.append(f"{path}: is missing")
            continue
        descriptor = new[path].get("Security Descriptor", "")
        if not descriptor:
            problems.append(f"{path}: has no security descriptor")
            continue
        before = old.get(path, {}).get("Security Descriptor")
        had = set(grants(before)) if before else set()
        for sid, mask in grants(descriptor):
            if sid in (EVERYONE, USERS) and mask & WRITE and (sid, mask) not in had:
                problems.append(f"{path}: grants {mask:#x} to S-1-{'-'.join(map(str, sid))}")
    metadata = []
    for wim in (old_wim, new_wim):
        blocks = run("wimlib-imagex", "info", wim, "--blobs").split("\n\n")
        metadata.append([b for b in blocks if "FLAG_METADATA" in b])
        metadata[-1] = ["\n".join(re.findall(fields, b)) for b in metadata[-1]]
    for i, (a, b) in enumerate(zip(*metadata), 1):
        if i != int(index) and a != b:
            problems.append(f"image {i}: its metadata changed")
    for problem in problems[:40]:
        print(problem)
    print(f"{compared} entries compared, {len(touched)} changes, {len(problems)} problems")
    return 1 if problems or not compared else 0


sys.exit(main())
