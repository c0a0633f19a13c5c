# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a folder of firmware with microcode for processors that there are not.

    mkmicrocode.py DIR       DIR/intel-ucode/06-9e-0a, 0b, DIR/amd-ucode/microcode_amd_fam17h.bin

Forms: Intel's Software Developer's Manual, volume 3, "Microcode Update Facilities"; AMD's
container as Linux reads it.
"""
import os
import struct
import sys


def checksum(words, field):
    words[field] = -sum(words) & 0xffffffff
    return struct.pack('<%dI' % len(words), *words)


def intel(signature, data, more=()):
    total = 48 + data + (20 + 12 * len(more) if more else 0)
    assert total % 1024 == 0
    update = checksum([1, 1, 0x11282026, signature, 0, 1, 1, data, total, 0, 0, 0] +
                      [0x5a5a5a5a] * (data // 4), 4)
    if more:
        table = [len(more), 0, 0, 0, 0]
        for other in more:
            table += [other, 1, 0]
        update += checksum(table, 1)
    return update


def amd(processors, patches):
    table = b''.join(struct.pack('<IIIHH', cpu, 0, 0, number, 0) for cpu, number in processors)
    container = struct.pack('<III', 0x00414d44, 0, len(table)) + table
    for size, number in patches:
        header = struct.pack('<IIHBBIIIHBBI', 0x20261128, 1, 0x8004, 0, 0, 0, 0, 0, number, 0, 0, 0)
        container += struct.pack('<II', 1, size) + header.ljust(size, b'\xa5')
    return container


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)


def main():
    to = sys.argv[1]
    write(to + '/intel-ucode', '06-9e-0a', intel(0x906ea, 976) + intel(0x906ea, 2000))
    write(to + '/intel-ucode', '06-9e-0b', intel(0x906eb, 4016, [0x906ec]))
    write(to + '/amd-ucode', 'microcode_amd_fam17h.bin',
          amd([(0x800f11, 0x8011), (0, 0)], [(3200, 0x8011)]) + amd([(0, 0)], []))


main()
