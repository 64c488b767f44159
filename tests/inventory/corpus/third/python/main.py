#!/usr/bin/env python3
import os
import sys
import socketserver
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import click
import grpc
import redis
import tornado.ioloop
import tornado.web
from flask import Flask
from pymongo import MongoClient
from sanic import Sanic
from waitress import serve

HOST, PORT = "127.0.0.1", 9998
LOG_BYTES = 65536
MAX_AGE = 31536
PORTS = {"api": 9101, "web": 9102, "metrics": 9103}

app = Flask(__name__)
app.config.update(MAX_CONTENT_LENGTH=16777, PERMANENT_SESSION_LIFETIME=7200)


@click.group()
def cli():
    """Tools of the shop; the server is on 9101."""


@cli.command()
@click.option("--port", "-p", default=9104, show_default=True, help="Port to listen on.")
@click.option("--rows", default=5000, help="How many rows.")
@click.option("--admin-port", type=int, envvar="ADMIN_PORT", default=9105)
def run(port, rows, admin_port):
    app.run(host="0.0.0.0", port=port, debug=True)


def legacy():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9106
    HTTPServer(("", port), BaseHTTPRequestHandler).serve_forever()


def servers():
    ThreadingHTTPServer(("0.0.0.0", 9107), BaseHTTPRequestHandler)
    with socketserver.TCPServer((HOST, 9108), None) as server:
        server.request_queue_size = 1024
        server.serve_forever(poll_interval=1500)
    server = grpc.server(None, options=[("grpc.max_message_length", 52428)])
    server.add_insecure_port("[::]:50063")
    tornado.web.Application([]).listen(9109)
    serve(app, listen="*:9110", channel_timeout=3600)
    Sanic("shop").run(host="0.0.0.0", port=9111, backlog=2048)


def clients():
    r = redis.StrictRedis("localhost", 6397, socket_timeout=3000)
    url = os.environ.get("RABBIT_URL", "amqp://guest@localhost:5679")
    m = MongoClient(f"mongodb://{os.environ['MONGO_HOST']}:27022/shop")
    channel = grpc.insecure_channel("localhost:50064")
    return r, url, m, channel


if __name__ == "__main__":
    cli()
