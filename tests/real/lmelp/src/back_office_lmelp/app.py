"""The backend: FastAPI on uvicorn where they are installed, else Python's own server. Its port is in API_PORT."""
import json
import os
import sys

PORT = int(os.environ.get("API_PORT") or 54321)


def whoami():
    return {"who": os.environ.get("WHO", "backend"), "pid": os.getpid(), "cwd": os.getcwd()}


def serve_uvicorn():
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()

    @app.get("/api/whoami")
    def _whoami():
        return whoami()

    @app.get("/api/health")
    def _health():
        return {"status": "ok"}

    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")


def serve_plain():
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"status": "ok"} if self.path == "/api/health" else whoami()).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()


if __name__ == "__main__":
    try:
        serve_uvicorn()
    except ImportError:
        print("no uvicorn: Python's own server", file=sys.stderr)
        serve_plain()
