"""A handler that serves one request at a time and forgets the handshake, so
that http.server answers it with 501.

It prints its port as one line and serves until its standard input ends.
"""

import hashlib
import hmac
import http.server
import os
import sys
import threading

ACCESS_KEY = os.environ["ACCESS_KEY"].encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.read_body()
        if not self.is_signed():
            return self.answer(401)
        if self.headers["ce-type"] == "azure.webpubsub.user.message":
            return self.answer(200, body, self.headers["Content-Type"])
        self.answer(200)

    def is_signed(self):
        connection = self.headers.get("ce-connectionId", "").encode()
        want = "sha256=" + hmac.new(ACCESS_KEY, connection, hashlib.sha256).hexdigest()
        return want in [token.strip() for token in self.headers.get("ce-signature", "").split(",")]

    def read_body(self):
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body=b"", content_type=None):
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body)


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
