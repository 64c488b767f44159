#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""The backend.

Listens on port 4010; see http://localhost:4010/docs
"""
from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 4010
ARTIFACTS = "http://localhost:4011/artifacts"
DATABASE = {"host": "localhost", "port": 5432, "name": "shop"}
CACHE = ("localhost", 6379)
ORIGINS = [
    "http://localhost:3000",
    'http://127.0.0.1:3000',
]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"artifacts": f"{ARTIFACTS}?from=http://localhost:4010/{self.path}"})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())


def main(host="127.0.0.1", port=4010):
    """Serves on port 4010."""
    ThreadingHTTPServer((host, port), Handler).serve_forever()


if __name__ == "__main__":
    main()
