#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends recorded WireGuard messages again, as an attacker on the path would.

  resend.py CAPTURE INTERFACE --type T [--source ADDRESS] [--flip]

Takes the UDP datagrams of message type T out of an Ethernet capture with whole packets, gives them
another source address or turns one bit of their last byte, and puts them on the wire as they are
otherwise. Prints how many.
"""
import argparse
import socket
import struct
import time

ETHERNET, IPV4_MIN = 14, 20


def records(path):
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        captured, length = struct.unpack_from(order + "II", data, at + 8)
        if captured != length:
            raise SystemExit(f"resend: {path}: holds cut packets; record with -s 0")
        yield bytearray(data[at + 16 : at + 16 + captured])
        at += 16 + captured


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def readdress(frame, source):
    end = ETHERNET + (frame[ETHERNET] & 15) * 4
    frame[ETHERNET + 12 : ETHERNET + 16] = source
    frame[ETHERNET + 10 : ETHERNET + 12] = b"\0\0"
    struct.pack_into(">H", frame, ETHERNET + 10, checksum(bytes(frame[ETHERNET:end])))
    frame[end + 6 : end + 8] = b"\0\0"  # no UDP checksum (RFC 768)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture")
    parser.add_argument("interface")
    parser.add_argument("--type", type=int, required=True)
    parser.add_argument("--source", type=socket.inet_aton)
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((args.interface, 0))
    sent = 0
    for frame in records(args.capture):
        message = ETHERNET + (frame[ETHERNET] & 15) * 4 + 8
        if frame[message] != args.type:
            continue
        if args.source:
            readdress(frame, args.source)
        if args.flip:
            frame[-1] ^= 1
            readdress(frame, bytes(frame[ETHERNET + 12 : ETHERNET + 16]))
        wire.send(frame)
        sent += 1
        if sent % 10 == 0:
            time.sleep(0.002)
    print(sent)


main()
