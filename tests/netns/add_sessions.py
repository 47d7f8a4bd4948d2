#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds many sessions over the control plane's socket, on one connection.

  add_sessions.py SOCKET KEYS QUOTA-BYTES

KEYS holds a line `number public-key` for each session. Prints `number inner-address` in the same order.
"""
import http.client
import json
import socket
import sys


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def main():
    path, keys, quota = sys.argv[1:]
    connection = Connection(path)
    for line in open(keys, encoding="ascii"):
        number, key = line.split()
        body = {"public_key": key, "quota_bytes": int(quota), "duration_sec": 3600}
        connection.request(
            "POST", "/api/v1/sessions", json.dumps(body), {"Content-Type": "application/json"}
        )
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 201:
            sys.exit(f"add_sessions: session {number}: {reply.status} {text.decode()}")
        print(number, json.loads(text)["inner_address"])


main()
