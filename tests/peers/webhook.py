"""A web server that takes POSTs of JSON arrays and prints every element as a JSON line.

    webhook.py PORT

The first request is refused with 503, as a server does that is just starting.
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

refuse = [True]


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if refuse.pop() if refuse else False:
            self.send_response(503)
            self.end_headers()
            return
        for record in json.loads(body):
            print(json.dumps({"record": record}), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook)
print(json.dumps({"ready": True}), flush=True)
server.serve_forever()
