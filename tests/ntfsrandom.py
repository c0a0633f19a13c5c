#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Random edits, the same on an NTFS volume and on a folder: the trees must be the same after
# each, and the volume sound by ntfscheck.py --strict.
#
#   ntfsrandom.py TOOLS VOLUME FOLDER SEED ROUNDS [CHANGES]
#
# TOOLS is where ntfsedit and ntfstool are; VOLUME is empty or holds what FOLDER holds.

import hashlib
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ['a', 'b', 'A long name of a driver.sys', 'a long name of another driver.sys',
         'A LONG NAME OF A DRIVER.SYS', 'x.inf', 'X.INF', 'setup.information', '.hidden',
         'two  spaces', '\u00e4\u00f6\u00fc.txt', '\u65e5\u672c\u8a9e \U0001f600', 'n' * 200,
         'plus+equals=.txt', 'ALONGN~1.SYS', 'b.b.b.b']


def change(rng, known):
    def path(rng, depth=3):
        """A new name, below something that is there, or something that is there."""
        words = [rng.choice(NAMES) for _ in range(rng.randint(1, depth))]
        if known and rng.random() < 0.5:
            there = rng.choice(known)[1]
            return there if rng.random() < 0.6 else there + '/' + words[0]
        return '/'.join(words)

    kind = rng.choices(['noise', 'write', 'mkdir', 'rm', 'mv', 'many'],
                       [8, 4, 3, 4, 8, 0.3])[0]
    if kind == 'noise':
        size = rng.choice([0, 1, 100, 600, 690, 700, 730, 744, 800, 4096, 5000, 70000,
                           300000])
        return ['noise\t%s\t%d\t%d' % (path(rng), size, rng.randrange(1 << 30))]
    if kind == 'write':
        return ['write\t%s\t%s' % (path(rng), rng.randrange(1 << 30))]
    if kind == 'mv':
        return ['mv\t%s\t%s' % (path(rng), path(rng))]
    if kind == 'many':
        folder = path(rng, 1)
        return ['write\t%s/file number %d of many.txt\t%d' % (folder, i, i)
                for i in rng.sample(range(500), 150)]
    return ['%s\t%s' % (kind, path(rng))]


def folder_list(top):
    out = []
    for where, folders, files in os.walk(top):
        rest = os.path.relpath(where, top)
        for name in folders:
            out.append(('d', os.path.normpath(os.path.join(rest, name)), ''))
        for name in files:
            with open(os.path.join(where, name), 'rb') as f:
                out.append(('f', os.path.normpath(os.path.join(rest, name)),
                            hashlib.sha256(f.read()).hexdigest()))
    return sorted(out)


def volume_list(tools, volume):
    out = []
    text = subprocess.run([tools + '/ntfstool', volume, 'list'], stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    for line in text.splitlines():
        kind, _, _, _, _, digest, name = line.split(' ', 6)
        out.append((kind, name, digest if kind == 'f' else ''))
    return sorted(out)


def edit(tools, target, script):
    done = subprocess.run([tools + '/ntfsedit'] + target, input=script.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode()
    if done.returncode:
        sys.exit('%s: %s' % (target, text))
    return [line for line in text.splitlines() if line.startswith('refused')]


def main(tools, volume, folder, seed, rounds, changes='60'):
    rng = random.Random(int(seed))
    have = volume_list(tools, volume)
    for number in range(int(rounds)):
        script = ''
        for _ in range(rng.randint(1, int(changes))):
            script += '\n'.join(change(rng, have)) + '\n'
        refused = edit(tools, [volume], script), edit(tools, ['--image', folder], script)
        have, want = volume_list(tools, volume), folder_list(folder)
        if refused[0] != refused[1] or have != want:
            sys.stdout.write(script)
            sys.exit('seed %s, round %d: the trees differ: %s' % (
                seed, number, list(set(have) ^ set(want))[:6] or refused))
        done = subprocess.run([sys.executable, HERE + '/ntfscheck.py', '--strict', volume],
                              stdout=subprocess.PIPE, check=False)
        if done.returncode:
            sys.stdout.write(script)
            sys.exit('seed %s, round %d: %s' % (seed, number, done.stdout.decode()))
    print('%d entries' % len(have))


if __name__ == '__main__':
    main(*sys.argv[1:])
