from http.server import HTTPServer, SimpleHTTPRequestHandler
import socketserver

PORT = 8000  # 8001 is taken
CHUNK = 65535
with socketserver.TCPServer(("", 8888), SimpleHTTPRequestHandler) as httpd:
    httpd.timeout = 3000
    httpd.handle_request()
HTTPServer(("localhost", 8889), SimpleHTTPRequestHandler)
HTTPServer(("", PORT), SimpleHTTPRequestHandler).serve_forever()
