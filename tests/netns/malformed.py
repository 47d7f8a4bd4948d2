#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts one frame on the wire for each way in which a frame can be wrong below WireGuard.

  malformed.py INTERFACE tunnel|internet NODE-MAC NODE-ADDRESS OWN-ADDRESS

Prints, for each frame, the name of the counter that it must raise by one, as dp_command has it.
"""
import socket
import struct
import sys

interface, side, node_mac, node, own = sys.argv[1:]
node_mac = bytes.fromhex(node_mac.replace(":", ""))
own_mac = b"\x02\0\0\0\0\x99"
node, own = socket.inet_aton(node), socket.inet_aton(own)
ICMP, TCP, UDP, GRE = 1, 6, 17, 47


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


def ether(payload, kind=0x0800, to=node_mac):
    return to + own_mac + struct.pack(">H", kind) + payload


def ip(payload, proto=UDP, src=own, dst=node, options=b"", fragment=0, total=None, first=None, wrong=0):
    length = 20 + len(options) + len(payload)
    head = struct.pack(
        ">BBHHHBB2s4s4s",
        first if first is not None else 0x45 + len(options) // 4,
        0,
        total or length,
        1,
        fragment,
        64,
        proto,
        b"\0\0",
        src,
        dst,
    )
    head += options
    sum_ = int.from_bytes(checksum(head), "big") ^ wrong
    return head[:10] + struct.pack(">H", sum_) + head[12:] + payload


def udp(length=None, payload=b"12345678"):
    return struct.pack(">HHHH", 5000, 1025, length or 8 + len(payload), 0) + payload


def tcp(offset=5):
    return struct.pack(">HHIIBBHHH", 5000, 80, 1, 0, offset << 4, 2, 1000, 0, 0)


def icmp(kind, code=0, body=b"\0\1\0\1" + b"x" * 16, wrong=0):
    message = struct.pack(">BBH", kind, code, 0) + body
    sum_ = int.from_bytes(checksum(message), "big") ^ wrong
    return message[:2] + struct.pack(">H", sum_) + message[4:]


def arp(sender):
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + own_mac + sender + b"\0" * 6 + node


QUOTE = ip(udp()[:8], src=node, dst=own, total=36)
LSRR = b"\x83\x07\x04" + own + b"\0"

COMMON = [
    ("drop_l2_type", ether(b"x" * 46, kind=0x1234)),
    ("drop_l2_not_for_us", ether(ip(udp()), to=b"\x02\0\0\0\0\x77")),
    ("drop_arp_invalid", ether(arp(own)[:20], kind=0x0806)),
    ("drop_arp_invalid", ether(arp(node), kind=0x0806)),
    ("drop_ip_truncated", ether(ip(udp())[:12])),
    ("drop_ip_version", ether(ip(udp(), first=0x55))),
    ("drop_ip_version", ether(b"\x60" + b"\0" * 59)),
    ("drop_ip_header_len", ether(ip(udp(), first=0x44))),
    ("drop_ip_total_len", ether(ip(udp(), total=1000))),
    ("drop_ip_total_len", ether(ip(udp(), total=19))),
    ("drop_ip_checksum", ether(ip(udp(), wrong=1))),
    ("drop_ip_source_route", ether(ip(udp(), options=LSRR))),
    ("drop_ip_fragment", ether(ip(udp(), fragment=0x2000))),
    ("drop_ip_fragment", ether(ip(b"x" * 16, fragment=0x0010))),
    ("drop_ip_not_ours", ether(ip(udp(), dst=node[:3] + b"\x4d"))),
    ("drop_l4_truncated", ether(ip(b"1234"))),
    ("drop_l4_truncated", ether(ip(tcp()[:19], proto=TCP))),
    ("drop_udp_length", ether(ip(udp(length=9)))),
    ("drop_udp_length", ether(ip(udp(length=17)))),
    ("drop_tcp_data_offset", ether(ip(tcp(4), proto=TCP))),
    ("drop_tcp_data_offset", ether(ip(tcp(15), proto=TCP))),
    ("drop_martian", ether(ip(udp(), src=node))),
    ("drop_martian", ether(ip(udp(), src=socket.inet_aton("127.0.0.1")))),
    ("drop_martian", ether(ip(udp(), src=socket.inet_aton("224.0.0.1")))),
    ("drop_l4_checksum", ether(ip(icmp(8, wrong=1), proto=ICMP))),
    ("consumed_icmp_echo", ether(ip(icmp(8), proto=ICMP))),
]
SIDES = {
    "tunnel": [
        ("drop_ip_unclaimed", ether(ip(tcp(), proto=TCP))),
        ("drop_ip_unclaimed", ether(ip(udp()))),
        ("drop_ip_unclaimed", ether(ip(b"x" * 20, proto=GRE))),
        ("consumed_icmp_other", ether(ip(icmp(0), proto=ICMP))),
    ],
    "internet": [
        ("drop_nat_no_mapping", ether(ip(udp()))),
        ("drop_nat_no_mapping", ether(ip(tcp(), proto=TCP))),
        ("drop_nat_protocol", ether(ip(b"x" * 20, proto=GRE))),
        ("drop_nat_icmp_type", ether(ip(icmp(9), proto=ICMP))),
        ("drop_nat_icmp_unmatched", ether(ip(icmp(3, 1, b"\0" * 4 + QUOTE), proto=ICMP))),
    ],
}

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((interface, 0))
for counter, frame in COMMON + SIDES[side]:
    wire.send(frame)
    print(counter)
