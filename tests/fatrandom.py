#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes for tests/treetool, one command a line, which are carried out on a FAT
volume and on a folder alike. usage: fatrandom.py SEED COUNT
"""
import random
import sys


def main(seed, count):
    r = random.Random(int(seed))
    files, folders = set(), {"top"}
    print("mkdir", "top", sep="\t")

    def new_name():
        return r.choice(folders_now()) + "/" + r.choice(
            ["f%d", "Name %d.txt", "A rather long name %d.text", "MIXED%d.Dat", "ö%d", "x.y.%d"]) % r.randrange(200)

    def folders_now():
        return sorted(folders)

    def known(path):
        low = path.lower()
        return any(p.lower() == low for p in files | folders)

    for _ in range(int(count)):
        kind = r.randrange(10)
        if kind < 4:
            name = new_name()
            if not known(name):
                files.add(name)
                print("write", name, "content of %d" % r.randrange(10 ** r.randrange(1, 300)), sep="\t")
        elif kind == 4 and files:
            print("write", r.choice(sorted(files)), "again %d" % r.randrange(1000), sep="\t")
        elif kind == 5 and files:
            name = r.choice(sorted(files))
            files.remove(name)
            print("rm", name, sep="\t")
        elif kind < 8 and files:
            name, to = r.choice(sorted(files)), new_name()
            if not known(to):
                files.remove(name)
                files.add(to)
                print("mv", name, to, sep="\t")
        elif kind == 8 and len(folders) < 12:
            name = new_name()
            if not known(name):
                folders.add(name)
                print("mkdir", name, sep="\t")
        elif len(folders) > 1:
            # A folder elsewhere, with what is in it.
            name, to = r.choice(folders_now()[1:]), new_name()
            if known(to) or to.lower().startswith(name.lower() + "/"):
                continue
            print("mv", name, to, sep="\t")
            for group in (files, folders):
                for path in sorted(group):
                    if path == name or path.startswith(name + "/"):
                        group.remove(path)
                        group.add(to + path[len(name):])


if __name__ == "__main__":
    main(*sys.argv[1:])
