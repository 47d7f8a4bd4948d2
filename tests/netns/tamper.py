# SPDX-License-Identifier: Apache-2.0
#
# Somebody between a buyer and a node's API: tamper.py ADDRESS PORT TARGET-URL FROM TO forwards requests and
# replaces a text in the answers.
import http.server
import sys
import urllib.error
import urllib.request

address, port, target, old, new = sys.argv[1:]


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = urllib.request.Request(
            target + self.path, body, {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                status, text = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        text = text.replace(old.encode(), new.encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((address, int(port)), Proxy).serve_forever()
