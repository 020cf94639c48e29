"""A handler that reads as many bytes as Content-Length says, and needs a
connection state.

It prints its port as one line and serves until its standard input ends.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading

ACCESS_KEY = os.environ["ACCESS_KEY"].encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_OPTIONS(self):
        self.send_response(200)
        self.send_header("WebHook-Allowed-Origin", "*")
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_signed():
            return self.answer(401)
        if "ce-connectionState" not in self.headers:
            return self.answer(400)
        try:
            state = json.loads(base64.b64decode(self.headers["ce-connectionState"]))
        except ValueError:
            return self.answer(400)
        if self.headers["ce-type"] == "azure.webpubsub.user.message":
            return self.answer(200, body, self.headers["Content-Type"], state)
        self.answer(200)

    def is_signed(self):
        connection = self.headers.get("ce-connectionId", "").encode()
        want = "sha256=" + hmac.new(ACCESS_KEY, connection, hashlib.sha256).hexdigest()
        return want in [token.strip() for token in self.headers.get("ce-signature", "").split(",")]

    def answer(self, status, body=b"", content_type=None, state=None):
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        if state is not None:
            self.send_header("ce-connectionState", base64.b64encode(json.dumps(state).encode()).decode())
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
