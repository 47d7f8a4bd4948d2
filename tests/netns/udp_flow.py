#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbered UDP datagrams to an echo and back, so that each lost, doubled or late one has a name.

  udp_flow.py serve ADDRESS PORT
  udp_flow.py send ADDRESS PORT --packets N --rate PPS [--size BYTES] [--stop-file FILE]

send prints one JSON object: sent, echoed, lost, doubled, reordered, altered. It waits for echoes
until none has come for --patience seconds. Exit status 0 also with losses: the caller judges.
"""
import argparse
import json
import os
import select
import socket
import struct
import time

CATCH_UP_PKTS = 10
SO_RCVBUFFORCE = 33


# What arrives while this process does not run is not lost. Only root may go beyond the machine's bound.
def roomy_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    return sock


def serve(args):
    sock = roomy_socket()
    sock.bind((args.address, args.port))
    while True:
        data, peer = sock.recvfrom(65535)
        sock.sendto(data, peer)


def payload(number, size):
    head = struct.pack(">Q", number)
    return head + bytes((number + i) & 255 for i in range(size - len(head)))


class Flow:
    def __init__(self, args):
        self.args = args
        self.sock = roomy_socket()
        self.sock.connect((args.address, args.port))
        self.sock.setblocking(False)
        self.seen = set()
        self.highest = -1
        self.result = {"sent": 0, "echoed": 0, "lost": 0, "doubled": 0, "reordered": 0, "altered": 0}

    def receive(self):
        while True:
            try:
                data = self.sock.recv(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            number = struct.unpack_from(">Q", data)[0]
            if data != payload(number, self.args.size):
                self.result["altered"] += 1
            elif number in self.seen:
                self.result["doubled"] += 1
            else:
                self.seen.add(number)
                self.result["echoed"] += 1
                self.result["reordered"] += number < self.highest
                self.highest = max(self.highest, number)
                self.last_ns = time.monotonic_ns()

    def is_over(self, number):
        stop = self.args.stop_file
        return number >= self.args.packets or (stop is not None and os.path.exists(stop))

    def run(self):
        gap_ns = int(1e9 / self.args.rate)
        next_ns = self.last_ns = time.monotonic_ns()
        number = 0
        while not self.is_over(number):
            wait_ns = next_ns - time.monotonic_ns()
            if wait_ns > 0:
                select.select([self.sock], [], [], wait_ns / 1e9)
                self.receive()
                continue
            try:
                self.sock.send(payload(number, self.args.size))
                number += 1
            except (BlockingIOError, ConnectionRefusedError):
                pass
            # A busy machine may keep this process waiting for long: what was missed is sent at the rate,
            # not at once, since no link here is made for that.
            next_ns = max(next_ns + gap_ns, time.monotonic_ns() - CATCH_UP_PKTS * gap_ns)
        self.result["sent"] = number
        self.last_ns = time.monotonic_ns()
        while self.result["echoed"] < number:
            if time.monotonic_ns() - self.last_ns > self.args.patience * 1e9:
                break
            select.select([self.sock], [], [], 0.1)
            self.receive()
        self.result["lost"] = number - self.result["echoed"]
        print(json.dumps(self.result))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["serve", "send"])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--packets", type=int, default=1 << 60)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--patience", type=float, default=30)
    parser.add_argument("--stop-file", help="ends the sending when it exists")
    args = parser.parse_args()
    if args.what == "serve":
        serve(args)
    else:
        Flow(args).run()


main()
