"""A web server that takes POSTs of JSON arrays, and behaves as it is told on standard input, one JSON object a line:

    {"status": 302, "headers": {"Location": "/login"}, "body": "..."}   answers everything so
    {"poison": [3, 5], "most": 2000, "refusal": 422}                    takes all but arrays with such a part number (or `"*"`), or with more bytes
    {}                                                                  takes everything

    moody_hook.py PORT

Prints one JSON line for every request: the part numbers in it, its path, and the status of the answer.
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

rule = {"status": 503}


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        values = [record["seq"] for record in json.loads(body)]
        self.answer(values, len(body))

    def do_GET(self):
        # Who follows a redirect comes here.
        self.answer("GET", 0)

    def answer(self, values, size):
        now = rule
        poison = now.get("poison", [])
        if values == "GET":
            status = 200
        elif "status" in now:
            status = now["status"]
        elif size > now.get("most", 1 << 30):
            status = 413
        elif poison == "*" or any(v in poison for v in values):
            status = now.get("refusal", 400)
        else:
            status = 204
        said = now.get("body", "").encode()
        self.send_response(status)
        for name, value in now.get("headers", {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if status != 204:
            self.wfile.write(said)
        print(json.dumps({"values": values, "path": self.path, "status": status}), flush=True)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    rule = json.loads(line)
    print(json.dumps({"rule": rule}), flush=True)
