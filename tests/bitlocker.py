#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypts a volume as BitLocker does, so that a test has one without Windows.

    bitlocker.py VOLUME DISK [--passphrase=TEXT] [--recovery=DIGITS] [--cipher=xts|cbc]
    bitlocker.py --decrypt=DISK VOLUME [--cipher=xts|cbc]

DISK becomes a disk with an MBR and one partition that holds VOLUME, encrypted (AES-128),
and behind it, where VOLUME's own file system does not reach, the metadata: three copies of
the FVE block (version 2), and the encrypted first sectors, which the FVE boot sector took
the place of. Everything that would be random follows from the keys: the same input gives
the same bytes; and --decrypt, which needs no key then, gives back what was written to DISK.

Format: as libbde's documentation and cryptsetup(8) bitlk describe it.
"""
import ctypes
import ctypes.util
import hashlib
import os
import struct
import sys
import uuid

SECTOR = 512
PARTITION_START = 1 << 20
TAIL = 1 << 20
FVE_SIZE = 64 << 10
HEADER_SIZE = 8192  # of the volume, moved to the tail
SIGNATURE = b"-FVE-FS-"
VOLUME_GUID = uuid.UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le
NOW = 133000000000000000  # FILETIME

PROPERTY, VMK, FVEK, DESCRIPTION, HEADER = 0, 2, 3, 7, 15
V_KEY, V_STRING, V_STRETCH, V_ENCRYPTED, V_VMK, V_OFFSETS = 1, 2, 3, 5, 8, 15
BY_RECOVERY, BY_PASSPHRASE = 0x0800, 0x2000
STRETCH_CCM, KEY_CCM = 0x1000, 0x2003
CIPHERS = {"cbc": (0x8002, 16, b"AES-128-CBC"), "xts": (0x8004, 32, b"AES-128-XTS")}

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for name in ("EVP_CIPHER_CTX_new", "EVP_CIPHER_fetch"):
    getattr(crypto, name).restype = ctypes.c_void_p


class Cipher:
    """One of OpenSSL's ciphers with a key, for one direction."""

    def __init__(self, name, key, encrypt=True):
        self.direction = 1 if encrypt else 0
        self.context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
        self.cipher = ctypes.c_void_p(crypto.EVP_CIPHER_fetch(None, name, None))
        self.key = key
        self.init(self.cipher, None, None)
        crypto.EVP_CIPHER_CTX_set_padding(self.context, 0)

    def init(self, cipher, key, iv):
        if crypto.EVP_CipherInit_ex2(self.context, cipher, key, iv, self.direction, None) != 1:
            raise RuntimeError("OpenSSL refuses the cipher")

    def work(self, data, iv=None):
        out = ctypes.create_string_buffer(len(data) + 16)
        n = ctypes.c_int(0)
        self.init(None, self.key, iv)
        if crypto.EVP_CipherUpdate(self.context, out, ctypes.byref(n), data, len(data)) != 1:
            raise RuntimeError("OpenSSL cannot do it")
        return out.raw[:n.value]


def ccm(key, nonce, plain):
    """AES-256-CCM with a tag of 16 bytes; BitLocker puts the tag in front."""
    block = Cipher(b"AES-256-ECB", key)
    size = 15 - len(nonce)
    tag = block.work(bytes([(14 // 2) << 3 | (size - 1)]) + nonce +
                        len(plain).to_bytes(size, "big"))
    for i in range(0, len(plain), 16):
        tag = block.work(bytes(a ^ b for a, b in
                                  zip(tag, plain[i:i + 16].ljust(16, b"\0"))))
    out = b""
    for i in range(len(plain) // 16 + 2):
        stream = block.work(bytes([size - 1]) + nonce + i.to_bytes(size, "big"))
        part = tag if i == 0 else plain[16 * (i - 1):16 * i]
        out += bytes(a ^ b for a, b in zip(part, stream))
    return out


def stretch(initial, salt):
    """2^20 rounds over the last digest, the first one, the salt and the round."""
    last = bytes(32)
    rest = initial + salt
    sha256 = hashlib.sha256
    for count in range(1 << 20):
        last = sha256(last + rest + count.to_bytes(8, "little")).digest()
    return last


def from_passphrase(text):
    return hashlib.sha256(hashlib.sha256(text.encode("utf-16-le")).digest()).digest()


def from_recovery(text):
    key = b""
    for group in text.split("-"):
        if len(group) != 6 or int(group) % 11:
            raise ValueError("a group of a recovery password has 6 digits and is divisible by 11")
        key += struct.pack("<H", int(group) // 11)
    if len(key) != 16:
        raise ValueError("a recovery password has 8 groups")
    return hashlib.sha256(key).digest()


def derive(what, size):
    """In place of chance."""
    return hashlib.sha256(b"gild test " + what).digest()[:size]


def entry(kind, value, body):
    return struct.pack("<HHHH", 8 + len(body), kind, value, 1) + body


def key_record(method, key):
    return struct.pack("<HHHHI", 12 + len(key), PROPERTY, V_KEY, 1, method) + key


def encrypted(kind, key, record, what):
    nonce = derive(b"nonce " + what, 12)
    return entry(kind, V_ENCRYPTED, nonce + ccm(key, nonce, record))


def protector(protection, initial, master, what):
    """The volume master key under a stretched key."""
    salt = derive(b"salt " + what, 16)
    stretched = stretch(initial, salt)
    body = derive(b"guid " + what, 16) + struct.pack("<QHH", NOW, 0, protection)
    body += entry(PROPERTY, V_STRETCH, struct.pack("<I", STRETCH_CCM) + salt)
    body += encrypted(PROPERTY, stretched, key_record(KEY_CCM, master), what)
    return entry(VMK, V_VMK, body)


def metadata(options, size, offsets, header, method, key):
    master = derive(b"master key", 32)
    entries = entry(DESCRIPTION, V_STRING, "gild test\0".encode("utf-16-le"))
    if options["passphrase"]:
        entries += protector(BY_PASSPHRASE, from_passphrase(options["passphrase"]), master,
                             b"passphrase")
    if options["recovery"]:
        entries += protector(BY_RECOVERY, from_recovery(options["recovery"]), master,
                             b"recovery")
    entries += encrypted(FVEK, master, key_record(method, key), b"volume key")
    entries += entry(HEADER, V_OFFSETS, struct.pack("<QQ", header, HEADER_SIZE))
    length = 48 + len(entries)
    head = SIGNATURE + struct.pack("<HHHHQII3QQ", (64 + length + 15) // 16, 2, 4, 4, size, 0,
                                   HEADER_SIZE // SECTOR, *offsets, header)
    head += struct.pack("<IIII", length, 1, 48, length) + derive(b"volume guid", 16)
    head += struct.pack("<IHHQ", 10, method, 0, NOW)
    return (head + entries).ljust(FVE_SIZE, b"\0")


def boot_sector(offsets):
    sector = bytearray(SECTOR)
    sector[0:3] = b"\xeb\x58\x90"
    sector[3:11] = SIGNATURE
    struct.pack_into("<HB", sector, 11, SECTOR, 8)
    sector[160:176] = VOLUME_GUID
    struct.pack_into("<3Q", sector, 176, *offsets)
    sector[510:512] = b"\x55\xaa"
    return bytes(sector)


class Volume:
    """Encrypts, or decrypts, sectors by their place in the volume."""

    def __init__(self, cipher, key, encrypt=True):
        self.xts = cipher == "xts"
        self.data = Cipher(CIPHERS[cipher][2], key, encrypt)
        self.iv = Cipher(b"AES-128-ECB", key[:16])

    def work(self, data, at):
        out = bytearray()
        for i in range(0, len(data), SECTOR):
            place = at + i
            if self.xts:
                iv = (place // SECTOR).to_bytes(16, "little")
            else:
                iv = self.iv.work(place.to_bytes(16, "little"))
            out += self.data.work(data[i:i + SECTOR], iv)
        return bytes(out)


def partition_table(size):
    table = bytearray(SECTOR)
    struct.pack_into("<I", table, 440, 0x67696c64)
    struct.pack_into("<B3sB3sII", table, 446, 0x80, b"\0\x02\0", 7, b"\xfe\xff\xff",
                     PARTITION_START // SECTOR, size // SECTOR)
    table[510:512] = b"\x55\xaa"
    return bytes(table)


def arguments():
    options = {"passphrase": None, "recovery": None, "cipher": "xts", "decrypt": None}
    paths = []
    for argument in sys.argv[1:]:
        if argument.startswith("--"):
            name, value = argument[2:].split("=", 1)
            if name not in options:
                sys.exit(f"bitlocker.py: --{name} is not known")
            options[name] = value
        else:
            paths.append(argument)
    return options, paths


def pieces(stream, size):
    """Its next bytes, a MiB at a time."""
    while size:
        data = stream.read(min(size, 1 << 20))
        if not data:
            sys.exit("bitlocker.py: the input is cut short")
        size -= len(data)
        yield data


def encrypt(source, target, options):
    content = os.path.getsize(source)
    size = content + TAIL
    method, key_size, _ = CIPHERS[options["cipher"]]
    key = derive(b"volume key", key_size)
    volume = Volume(options["cipher"], key)
    offsets = [content + i * 2 * FVE_SIZE for i in range(3)]
    header = content + 6 * FVE_SIZE
    block = metadata(options, size, offsets, header, method, key)
    with open(source, "rb") as read, open(target, "wb") as write:
        first = read.read(HEADER_SIZE)
        write.write(partition_table(size))
        write.truncate(PARTITION_START + size)
        write.seek(PARTITION_START)
        write.write(boot_sector(offsets).ljust(HEADER_SIZE, b"\0"))
        at = HEADER_SIZE
        for plain in pieces(read, content - HEADER_SIZE):
            write.write(volume.work(plain, at))
            at += len(plain)
        for offset in offsets:
            write.seek(PARTITION_START + offset)
            write.write(block)
        write.seek(PARTITION_START + header)
        write.write(volume.work(first, header))


def decrypt(source, target, options):
    content = os.path.getsize(source) - PARTITION_START - TAIL
    header = content + 6 * FVE_SIZE
    key = derive(b"volume key", CIPHERS[options["cipher"]][1])
    volume = Volume(options["cipher"], key, False)
    with open(source, "rb") as read, open(target, "wb") as write:
        read.seek(PARTITION_START + header)
        write.write(volume.work(read.read(HEADER_SIZE), header))
        read.seek(PARTITION_START + HEADER_SIZE)
        at = HEADER_SIZE
        for data in pieces(read, content - HEADER_SIZE):
            write.write(volume.work(data, at))
            at += len(data)


if __name__ == "__main__":
    given, files = arguments()
    if given["decrypt"]:
        decrypt(given["decrypt"], files[0], given)
    else:
        encrypt(files[0], files[1], given)
