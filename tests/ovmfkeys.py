# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of OVMF in which a certificate is all that Secure Boot trusts.

    ovmfkeys.py VARIABLES CERTIFICATE.der OUTPUT

VARIABLES is the store of a firmware that has not been started (OVMF_VARS_4M.fd). The
certificate becomes PK, KEK and db, as an owner would enrol it. Forms: UEFI Specification,
"Signature Database"; EDK II, MdeModulePkg/Include/Guid/VariableFormat.h.
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


def main():
    source, certificate, output = sys.argv[1:]
    with open(source, 'rb') as f:
        store = bytearray(f.read())
    with open(certificate, 'rb') as f:
        keys = signature_list(f.read())
    at = struct.unpack_from('<H', store, 48)[0]
    if store[40:44] != b'_FVH' or store[at:at + 16] != STORE.bytes_le:
        sys.exit('%s is no store of OVMF variables' % source)
    at += 28
    if store[at:at + 4] != b'\xff' * 4:
        sys.exit('%s has variables already' % source)
    owner = NON_VOLATILE | BOOT | RUNTIME | AUTHENTICATED
    new = (variable('db', SECURITY, owner, keys) + variable('KEK', GLOBAL, owner, keys) +
           variable('PK', GLOBAL, owner, keys) +
           variable('SecureBootEnable', ENABLE, NON_VOLATILE | BOOT, b'\1'))
    store[at:at + len(new)] = new
    with open(output, 'wb') as f:
        f.write(store)


main()
