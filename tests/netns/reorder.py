#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bad network in one process: a UDP relay that delays each datagram by another time.

  reorder.py ADDRESS PORT TARGET-ADDRESS TARGET-PORT [--delay-ms N]

Whoever sends to ADDRESS:PORT talks to the target and back; each datagram waits 0 to N ms (60), drawn
from the same random numbers in every run, and overtakes others. Loses none.
"""
import argparse
import heapq
import random
import select
import socket
import time

SO_RCVBUFFORCE = 33  # beyond rmem_max; Python has no name for it


def bound(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.bind((address, port))
    return sock


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("target")
    parser.add_argument("target_port", type=int)
    parser.add_argument("--delay-ms", type=float, default=60)
    args = parser.parse_args()
    rng = random.Random(1)
    near, far = bound(args.address, args.port), bound(args.address, 0)
    client = None
    waiting, number = [], 0
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for sock in select.select([near, far], [], [], timeout)[0]:
            data, sender = sock.recvfrom(65535)
            if sock is near:
                client = sender
            due = time.monotonic() + rng.random() * args.delay_ms / 1000
            number += 1
            heapq.heappush(waiting, (due, number, sock is near, data))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, is_outbound, data = heapq.heappop(waiting)
            if is_outbound:
                far.sendto(data, (args.target, args.target_port))
            elif client:
                near.sendto(data, client)


main()
