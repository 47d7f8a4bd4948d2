# SPDX-License-Identifier: Apache-2.0
#
# A node that claims what a test tells it to, and the tunnel interface that a buyer counts:
# false_node.py TUN PORT LOG. Vouchers that come are lines of LOG; of all else that comes LOG.else has
# path and body. PUT / takes a JSON object:
#   answer  what every POST is answered with, as JSON text or any text
#   status  the status it is answered with
#   pump    bytes of IP packets to come out of TUN, once
import fcntl
import http.server
import json
import os
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET = 1000


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


# A UDP packet from and to addresses that nobody has.
def packet(n_bytes):
    return struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, n_bytes, 0, 0, 64, 17, 0, bytes([192, 0, 2, 200]), bytes([192, 0, 2, 201])
    ) + bytes(n_bytes - 20)


class Node(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status, answer, tun, log, others = 503, "{}", None, None, None

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")

    def reply(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        told = self.body()
        Node.status = told.get("status", Node.status)
        Node.answer = told.get("answer", Node.answer)
        for _ in range(told.get("pump", 0) // PACKET):
            os.write(Node.tun, packet(PACKET))
        self.reply(200, "{}")

    def do_POST(self):
        body = self.body()
        if self.path.endswith("/vouchers"):
            Node.log.write(f"{body['cumulative_bytes']} {body['signature']} {Node.status}\n")
        else:
            Node.others.write(f"{self.path} {json.dumps(body)}\n")
        self.reply(Node.status, Node.answer)

    def log_message(self, *_):
        pass


Node.tun = open_tun(sys.argv[1])
Node.log = open(sys.argv[3], "w", buffering=1, encoding="ascii")
Node.others = open(sys.argv[3] + ".else", "w", buffering=1, encoding="ascii")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Node).serve_forever()
