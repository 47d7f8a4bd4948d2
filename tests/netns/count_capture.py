#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up the IPv4 total lengths in a capture: the independent witness of the bill.

Reads the pcap format by itself (Ethernet or raw IP, micro- or nanoseconds), shares nothing with the
node, and refuses what it does not understand instead of skipping it. Prints the sum, or with --json
packets, bytes and the times of the first and last packet.
"""
import argparse
import json
import socket
import struct
import sys

MAGIC = {
    0xA1B2C3D4: 1000,  # microseconds
    0xA1B23C4D: 1,  # nanoseconds
}
LINK_ETHERNET, LINK_RAW, LINK_IPV4 = 1, 101, 228
PROTO_UDP = 17


def fail(text):
    sys.exit(f"count_capture: {text}")


def packets(path):
    """Yields (time in ns, IPv4 packet)."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 24:
        fail(f"{path}: no capture")
    for order in "<>":
        unit = MAGIC.get(struct.unpack_from(order + "I", data)[0])
        if unit:
            break
    else:
        fail(f"{path}: not in pcap format")
    link = struct.unpack_from(order + "I", data, 20)[0]
    if link not in (LINK_ETHERNET, LINK_RAW, LINK_IPV4):
        fail(f"{path}: link type {link} is unknown")
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            return  # the writer is in the middle of a record
        sec, frac, captured, _ = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if at + captured > len(data):
            return
        frame = data[at : at + captured]
        at += captured
        if link == LINK_ETHERNET:
            if frame[12:14] != b"\x08\x00":
                continue
            frame = frame[14:]
        if len(frame) < 20 or frame[0] >> 4 != 4:
            fail(f"{path}: a packet is not IPv4")
        yield sec * 1_000_000_000 + frac * unit, frame


def wanted(packet, args):
    if args.source and packet[12:16] not in args.source:
        return False
    if packet[12:16] in args.not_source:
        return False
    if args.destination and packet[16:20] not in args.destination:
        return False
    header = (packet[0] & 15) * 4
    if args.not_udp_source_port and packet[9] == PROTO_UDP:
        is_first = struct.unpack_from(">H", packet, 6)[0] & 0x1FFF == 0
        if is_first and struct.unpack_from(">H", packet, header)[0] == args.not_udp_source_port:
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture")
    address = socket.inet_aton
    parser.add_argument("--source", type=address, action="append", default=[])
    parser.add_argument("--not-source", type=address, action="append", default=[])
    parser.add_argument("--destination", type=address, action="append", default=[])
    parser.add_argument("--not-udp-source-port", type=int)
    parser.add_argument("--since", type=float, help="Unix time in seconds")
    parser.add_argument("--until", type=float, help="Unix time in seconds")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    count = {"packets": 0, "bytes": 0, "first": None, "last": None}
    for time_ns, packet in packets(args.capture):
        if args.since and time_ns < args.since * 1e9:
            continue
        if args.until and time_ns >= args.until * 1e9:
            continue
        if not wanted(packet, args):
            continue
        count["packets"] += 1
        count["bytes"] += struct.unpack_from(">H", packet, 2)[0]
        count["first"] = count["first"] or time_ns / 1e9
        count["last"] = time_ns / 1e9
    print(json.dumps(count) if args.json else count["bytes"])


main()
