# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of OVMF as a test wants them.

    ovmfvars.py VARIABLES OUTPUT [OPTION...]

VARIABLES is a store of Debian's (OVMF_VARS_4M.fd, OVMF_VARS_4M.ms.fd). Options:

owner=CERTIFICATE.der   what Secure Boot trusts, alone: the certificate becomes PK, KEK and db, as an
                        owner would enrol it; for a store that has no variables
http=SLOT,MAC,URL       the next start is from there, by UEFI HTTP Boot with the network card in
                        that slot of PCI's root bus; the card's address comes by DHCP

Forms: UEFI Specification, "Signature Database", "Load Options" and "Device Path Protocol"; EDK II,
MdeModulePkg/Include/Guid/VariableFormat.h.
"""
import struct
import sys
import uuid

GLOBAL = uuid.UUID('8be4df61-93ca-11d2-aa0d-00e098032b8c')
SECURITY = uuid.UUID('d719b2cb-3d3a-4596-a3bc-dad00e67656f')
ENABLE = uuid.UUID('f0a30bc7-af08-4556-99c4-001009c93a44')
X509 = uuid.UUID('a5c059a1-94e4-4aa7-87b5-ab155c2bf072')
STORE = uuid.UUID('aaf32c78-947b-439a-a180-2e144ec37792')  # authenticated variables
OWNER = uuid.UUID('67696c64-0000-4000-8000-000000000001')

NON_VOLATILE, BOOT, RUNTIME, AUTHENTICATED = 1, 2, 4, 0x20
START, ADDED = 0x55aa, 0x3f
HEADER = 60
LOAD_OPTION_ACTIVE = 1


def signature_list(certificate):
    size = 16 + len(certificate)
    return (X509.bytes_le + struct.pack('<III', 28 + size, 0, size) + OWNER.bytes_le + certificate)


def variable(name, guid, attributes, data):
    text = name.encode('utf-16le') + b'\0\0'
    time = struct.pack('<HBBBBBBIhBB', 2023, 11, 14, 22, 13, 20, 0, 0, 0, 0, 0)
    if not attributes & AUTHENTICATED:
        time = bytes(16)
    head = struct.pack('<HBBIQ16sIII16s', START, ADDED, 0, attributes, 0, time, 0, len(text),
                       len(data), guid.bytes_le)
    whole = head + text + data
    return whole + b'\xff' * (-len(whole) % 4)


def owner(path):
    with open(path, 'rb') as f:
        keys = signature_list(f.read())
    attributes = NON_VOLATILE | BOOT | RUNTIME | AUTHENTICATED
    return (variable('db', SECURITY, attributes, keys) +
            variable('KEK', GLOBAL, attributes, keys) + variable('PK', GLOBAL, attributes, keys) +
            variable('SecureBootEnable', ENABLE, NON_VOLATILE | BOOT, b'\1'))


def node(kind, subtype, data):
    return struct.pack('<BBH', kind, subtype, 4 + len(data)) + data


def http(slot, mac, url):
    """A load option: PciRoot(0)/Pci(SLOT,0)/MAC(MAC,1)/IPv4(0.0.0.0, by DHCP)/Uri(URL)."""
    path = (node(2, 1, struct.pack('<II', 0x0a0341d0, 0)) + node(1, 1, bytes([0, int(slot)])) +
            node(3, 11, bytes.fromhex(mac.replace(':', '')).ljust(32, b'\0') + b'\1') +
            node(3, 12, bytes(23)) + node(3, 24, url.encode()) + node(0x7f, 0xff, b''))
    option = (struct.pack('<IH', LOAD_OPTION_ACTIVE, len(path)) + 'HTTP\0'.encode('utf-16le') +
              path)
    attributes = NON_VOLATILE | BOOT | RUNTIME
    return (variable('Boot0100', GLOBAL, attributes, option) +
            variable('BootNext', GLOBAL, attributes, struct.pack('<H', 0x100)))


def main():
    source, output = sys.argv[1:3]
    with open(source, 'rb') as f:
        store = bytearray(f.read())
    start = struct.unpack_from('<H', store, 48)[0]
    if store[40:44] != b'_FVH' or store[start:start + 16] != STORE.bytes_le:
        sys.exit(f'{source} is no store of OVMF variables')
    at = start + 28
    while struct.unpack_from('<H', store, at)[0] == START:
        at += HEADER + sum(struct.unpack_from('<II', store, at + 36))
        at += -at % 4
    for option in sys.argv[3:]:
        name, _, value = option.partition('=')
        if name == 'owner' and at != start + 28:
            sys.exit(f'{source} has variables already')
        new = owner(value) if name == 'owner' else http(*value.split(',', 2))
        if store[at:at + len(new)] != b'\xff' * len(new):
            sys.exit(f'{source} has no room')
        store[at:at + len(new)] = new
        at += len(new)
    with open(output, 'wb') as f:
        f.write(store)


main()
