"""A handler on http.server that does all as it should.

It prints its port as one line and serves until its standard input ends.
"""

import hashlib
import hmac
import http.server
import json
import os
import sys
import threading

HOST = "localhost"
ACCESS_KEY = os.environ["ACCESS_KEY"].encode()
MAX_BODY = 2 << 20


class TooLong(Exception):
    pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_OPTIONS(self):
        allowed = self.origins()
        self.send_response(200 if allowed else 403)
        for origin in allowed:
            self.send_header("WebHook-Allowed-Origin", origin)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_OPTIONS

    def do_POST(self):
        kind = self.headers.get("ce-type")
        if not (kind and self.headers.get("ce-hub") and self.headers.get("ce-connectionId")):
            return self.refuse(400)
        if not self.origins():
            return self.refuse(403)
        if not self.is_signed():
            return self.refuse(401)
        try:
            body = self.read_body()
            if kind == "azure.webpubsub.sys.connect":
                return self.connect(json.loads(body))
        except TooLong:
            return self.refuse(413)
        except ValueError:
            return self.refuse(400)
        if kind == "azure.webpubsub.user.message":
            return self.answer(200, body, self.headers.get("Content-Type", "application/octet-stream"))
        self.answer(204)

    def connect(self, client):
        answer = {"groups": ["lobby"]}
        user = self.headers.get("ce-userId")
        if user:  # http.server gives the bytes of a header as ISO 8859-1
            answer["userId"] = user.encode("latin-1").decode()
        if "json.webpubsub.azure.v1" in (client.get("subprotocols") or []):
            answer["subprotocol"] = "json.webpubsub.azure.v1"
        self.answer(200, json.dumps(answer).encode(), "application/json")

    def origins(self):
        """Returns those of the service's hosts that are ours."""
        lines = ",".join(self.headers.get_all("WebHook-Request-Origin", []))
        return [o for o in map(str.strip, lines.split(",")) if o.lower() == HOST]

    def is_signed(self):
        connection = self.headers["ce-connectionId"].encode("latin-1")
        want = b"sha256=" + hmac.new(ACCESS_KEY, connection, hashlib.sha256).hexdigest().encode()
        tokens = self.headers.get("ce-signature", "").split(",")
        return any(hmac.compare_digest(token.strip().lower().encode("latin-1"), want) for token in tokens)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            if length > MAX_BODY:
                raise TooLong
            return self.rfile.read(length)
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            if len(body) + size > MAX_BODY:
                raise TooLong
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def refuse(self, status):
        # What was not read of the body must not be taken for the next request.
        self.close_connection = True
        self.answer(status)

    def answer(self, status, body=b"", content_type=None):
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
