"""A metric as Prometheus reads it, on 9090."""
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/metrics"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(b"manito_up 1\n" if found else b"")

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 9090), Handler)
print(server.socket.getsockname()[1], flush=True)
server.serve_forever()
