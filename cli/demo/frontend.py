"""The shop's front page: asks the other services, each in the thread that serves the request."""
import http.client
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BACKENDS = dict(argument.split("=", 1) for argument in sys.argv[1:])
PATHS = {"catalog": "/products/42?currency=EUR", "cart": "/cart", "pricing": "/price?id=42"}


def ask(name):
    url = urlsplit(BACKENDS[name])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
    try:
        connection.request("GET", PATHS[name])
        response = connection.getresponse()
        return {"status": response.status, "body": response.read().decode()}
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/":
            self.answer(200, {name: ask(name) for name in BACKENDS if name in PATHS})
        elif self.path == "/broken":
            self.answer(500, {"error": "this page is broken on purpose"})
        else:
            self.answer(404, {"error": "no such page"})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
