# SPDX-License-Identifier: GPL-3.0-or-later
# Lists an NTFS volume by ntfsls, ntfsinfo and ntfscat in the form of `ntfstool VOLUME list`,
# with times in seconds.  usage: ntfslist.py VOLUME [FOLDER-TO-LEAVE-OUT...]
# With --times: rewrites such a list on standard input to seconds.
import calendar
import hashlib
import re
import subprocess
import sys
import time


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def seconds(filetime):
    return filetime // 10000000 - 11644473600


def names(volume):
    folder = None
    for line in run("ntfsls", "-f", "-R", "-a", "-i", volume).decode().split("\n"):
        if line.startswith("/") and line.endswith(":"):
            folder = line[1:-1]
            continue
        match = re.match(r" *(\d+) (.*)", line)
        if match and match[2] not in (".", ".."):
            yield (folder + "/" if folder else "") + match[2], match[1]


def field(text, name):
    match = re.search(r"\t%s:\t *(.*)" % re.escape(name), text)
    return match[1].strip() if match else None


def moment(text):
    return calendar.timegm(time.strptime(text, "%a %b %d %H:%M:%S %Y UTC"))


def describe(volume, path, inode):
    info = run("ntfsinfo", "-f", "-i", inode, volume).decode(errors="replace")
    standard = info[info.index("$STANDARD_INFORMATION"):]
    attributes = int(re.search(r"File attributes:.*\((0x[0-9a-f]+)\)", standard)[1], 16)
    attributes &= 0x0FFFFFFF
    flags = re.search(r"MFT Record Flags:\t *(.*)", info)[1]
    if "DIRECTORY" in flags:
        kind, size, digest, attributes = "d", 0, "-", attributes | 0x10
    elif attributes & 0x400:
        kind, size, digest = "l", 0, "-"
    else:
        data = run("ntfscat", "-f", "-i", inode, volume)
        kind, size, digest = "f", len(data), hashlib.sha256(data).hexdigest()
    return "%s %d %x %d %d %s %s" % (
        kind, size, attributes or 0x80, moment(field(standard, "File Creation Time")),
        moment(field(standard, "File Altered Time")), digest, path)


if sys.argv[1] == "--times":
    for line in sys.stdin:
        words = line.rstrip("\n").split(" ", 6)
        words[3:5] = [str(seconds(int(word))) for word in words[3:5]]
        print(" ".join(words))
else:
    for path, inode in names(sys.argv[1]):
        if not any((path + "/").startswith(skipped + "/") for skipped in sys.argv[2:]):
            print(describe(sys.argv[1], path, inode))
