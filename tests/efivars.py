# SPDX-License-Identifier: GPL-3.0-or-later
# Variables in the flash of an OVMF (EDK II's MdeModulePkg/Include/Guid/VariableFormat.h):
# "NAME ATTRIBUTES HEX" for each, or the value of one. usage: efivars.py FILE [NAME]
import struct
import sys

STORE = bytes.fromhex('782cf3aa7b949a43a1802e144ec37792')  # authenticated variables
HEADER = struct.Struct('<HBBIQ16sIII16s')
ADDED = 0x3f

with open(sys.argv[1], 'rb') as file:
    flash = file.read()
at = flash.index(STORE)
size = struct.unpack_from('<I', flash, at + 16)[0]
end = at + size
at += 28
while at + HEADER.size <= end:
    (start, state, _, attributes, _, _, _, name_size, data_size,
     vendor) = HEADER.unpack_from(flash, at)
    if start != 0x55aa:
        break
    at += HEADER.size
    name = flash[at:at + name_size].decode('utf-16-le').rstrip('\0')
    data = flash[at + name_size:at + name_size + data_size]
    at = (at + name_size + data_size + 3) & ~3
    if state != ADDED:
        continue
    if len(sys.argv) == 2:
        print(name, attributes, data.hex())
    elif name == sys.argv[2]:
        print(data.hex())
