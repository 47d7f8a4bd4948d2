#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends what no WireGuard client sends to a WireGuard port.

  hostile.py SOURCE ADDRESS PORT

Every message type at every length below and a few above its own, with random contents; unknown types;
reserved bits; pure noise; the empty datagram. The random numbers are the same in every run. Prints how
many datagrams were sent.
"""
import random
import socket
import sys
import time

LENGTHS = {1: 148, 2: 92, 3: 64, 4: 96}


def datagrams(rng):
    yield b""
    for kind, length in LENGTHS.items():
        for n in list(range(1, length + 1)) + [length + 1, length + 17, 1472]:
            yield (bytes([kind, 0, 0, 0]) + rng.randbytes(n))[:n]
        yield bytes([kind, 0, 1, 0]) + rng.randbytes(length - 4)
    for kind in (0, 5, 127, 255):
        yield bytes([kind, 0, 0, 0]) + rng.randbytes(144)
    for _ in range(200):
        yield rng.randbytes(rng.randrange(1, 1472))


def main():
    source, address, port = sys.argv[1:]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((source, 0))
    sent = 0
    for sent, data in enumerate(datagrams(random.Random(1)), 1):
        sock.sendto(data, (address, int(port)))
        if sent % 10 == 0:
            time.sleep(0.002)
    print(sent)


main()
