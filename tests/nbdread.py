#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the kernel: starts gild-reader and reads from it by NBD's simple protocol.

nbdread.py [-cache FILE] [-idle MS] [-patience MS] READER URL SEAL FILE STEP...

STEP: OFFSET:LENGTH is read and compared with FILE; "all" is all of it, in pieces of 1 MiB,
eight under way at a time; "error:OFFSET" must be an I/O error, "wrong:OFFSET" bytes that are
not those of FILE; "run:COMMAND" is run by the shell in between. What the reader says goes to
the standard output.
"""
import os
import socket
import struct
import subprocess
import sys

arguments = sys.argv[1:]
cache = []
if arguments[0] == '-cache':
    cache = [os.open(arguments[1], os.O_RDWR | os.O_CREAT, 0o600)]
    arguments = arguments[2:]
# However slow the machine is, nothing is fetched that nobody reads: -idle is for that.
times = {'idle': 3600000, 'patience': 4000}
while arguments[0][1:] in times:
    times[arguments[0][1:]] = int(arguments[1])
    arguments = arguments[2:]
reader, url, seal, name = arguments[:4]
data = open(name, 'rb').read()
ours, theirs = socket.socketpair()
process = subprocess.Popen(
    [reader, f'url={url}', f'seal={seal}', f'nbd={theirs.fileno()}', 'room=1048576',
     'silence=500'] + [f'{key}={value}' for key, value in times.items()] +
    [f'cache={fd}' for fd in cache], pass_fds=[theirs.fileno()] + cache)
theirs.close()


def receive(n):
    got = b''
    while len(got) < n:
        part = ours.recv(n - len(got))
        if not part:
            sys.exit('the reader has ended')
        got += part
    return got


def ask(offset, length, handle=1):
    ours.sendall(struct.pack('>IHHQQI', 0x25609513, 0, 0, handle, offset, length))


def answer(lengths):
    magic, error, handle = struct.unpack('>IIQ', receive(16))
    if magic != 0x67446698:
        sys.exit('that is no answer')
    return handle, error, b'' if error else receive(lengths[handle])


def read(offset, length):
    ask(offset, length)
    return answer({1: length})[1:]


def read_all():
    pieces = [(at, min(1 << 20, len(data) - at)) for at in range(0, len(data), 1 << 20)]
    lengths = dict(pieces)
    waiting = list(reversed(pieces))
    under_way = 0
    while waiting or under_way:
        while waiting and under_way < 8:
            at, n = waiting.pop()
            ask(at, n, at)
            under_way += 1
        at, error, got = answer(lengths)
        under_way -= 1
        if error or got != data[at:at + lengths[at]]:
            sys.exit(f'at {at}: error {error}, or other bytes')


for step in arguments[4:]:
    kind, _, rest = step.partition(':')
    if kind == 'all':
        read_all()
    elif kind == 'run':
        subprocess.run(rest, shell=True, check=True)
    elif kind == 'error':
        if read(int(rest), 4096)[0] != 5:
            sys.exit(f'{step}: no error')
    elif kind == 'wrong':
        error, got = read(int(rest), 4096)
        if error or got == data[int(rest):int(rest) + 4096]:
            sys.exit(f'{step}: error {error}, or the right bytes')
    elif read(int(kind), int(rest)) != (0, data[int(kind):int(kind) + int(rest)]):
        sys.exit(f'{step}: an error, or other bytes')
ours.close()
sys.exit(process.wait(10))
