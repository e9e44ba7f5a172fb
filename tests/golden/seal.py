#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The checksum of a golden file, worked out bit by bit and without a line of the library.

usage: seal.py FILE [0 | nonce | c2s | s2c]

Prints the four bytes that belong at the end of FILE, in hexadecimal, and the four that are there.
The starts come from the nonces that all golden files share.
"""
import re
import sys

NONCE_C = bytes(range(0x01, 0x09))
NONCE_S = bytes(range(0x11, 0x19))


def crc32c(crc, data):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def load(path):
    out = b""
    for line in open(path):
        for word in line.split("#")[0].split():
            value, _, count = word.partition("*")
            assert re.fullmatch("[0-9a-f]{2}", value), word
            out += bytes([int(value, 16)]) * int(count or 1)
    return out


STARTS = {
    "0": 0,
    "nonce": crc32c(0, NONCE_C),
    "c2s": crc32c(1, NONCE_C + NONCE_S),
    "s2c": crc32c(2, NONCE_C + NONCE_S),
}

if __name__ == "__main__":
    assert crc32c(0, b"123456789") == 0xE3069283
    if len(sys.argv) != 3 or sys.argv[2] not in STARTS:
        sys.exit(__doc__)
    packet = bytearray(load(sys.argv[1]))
    packet[1] &= 0x7F  # RTX counts as 0
    value = crc32c(STARTS[sys.argv[2]], packet[:-4])
    print(value.to_bytes(4, "little").hex(" "), "wanted,", packet[-4:].hex(" "), "found")
