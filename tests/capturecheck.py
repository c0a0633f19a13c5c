#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the first images of two WIMs as wimlib-imagex sees them, entry by entry: names,
short names, attributes, descriptors, times, object IDs, reparse points, streams with their
hashes, sizes and references, and hard link groups by the names in them.

  capturecheck.py WANT.wim GOT.wim [--but PREFIX[=FIELD,...]]...

Entries below PREFIX are left out of the comparison, or only these fields of theirs.
"""
import re
import subprocess
import sys


def entries(wim):
    out = subprocess.run(["wimlib-imagex", "dir", wim, "1", "--detailed"], check=True, capture_output=True).stdout
    found = {}
    for block in out.decode("utf-8", "surrogateescape").split("-" * 76 + "\n"):
        entry, path, group, stream = {}, None, 0, ""
        for line in block.splitlines():
            if m := re.match(r"\t(.*stream.*):$", line):
                stream = m[1] + ": "
            elif m := re.match(r"Full Path\s+= \"(.*)\"$", line):
                path = m[1]
            elif m := re.match(r"Link Group ID\s+= (.*)$", line):
                group = int(m[1], 16)
            elif m := re.match(r"(Compressed size|Offset in WIM|Flags|Part Number|Solid.*)\s+=", line):
                pass
            elif m := re.match(r"([A-Z][A-Za-z ]*?)\s+= (.*)$", line):
                entry[stream + m[1]] = m[2]
        if path is not None:
            found[path] = (entry, group)
    groups = {}
    for path, (entry, group) in found.items():
        if group:
            groups.setdefault(group, set()).add(path)
    for path, (entry, group) in found.items():
        entry["names"] = sorted(groups.get(group, {path}))
    return {path: entry for path, (entry, group) in found.items()}


def main():
    args, left_out = [], []
    words = iter(sys.argv[1:])
    for word in words:
        if word == "--but":
            prefix, _, fields = next(words).partition("=")
            left_out.append((prefix, fields.split(",") if fields else None))
        else:
            args.append(word)
    want, got = entries(args[0]), entries(args[1])
    problems, compared = [], 0
    for path in sorted(set(want) | set(got)):
        but = [fields for prefix, fields in left_out if path.startswith(prefix)]
        if None in but:
            continue
        if path not in want or path not in got:
            problems.append(f"{path}: only in {args[0] if path in want else args[1]}")
            continue
        compared += 1
        a, b = want[path], got[path]
        for field in sorted(set(a) | set(b)):
            if a.get(field) != b.get(field) and not any(field in fields for fields in but):
                problems.append(f"{path}: {field}: {a.get(field)} became {b.get(field)}")
    for problem in problems[:20]:
        print(problem[:300])
    print(f"{compared} entries compared, {len(problems)} problems")
    return 1 if problems or not compared else 0


sys.exit(main())
