import argparse
import asyncio
import socket
import xmlrpc.client

import pika
import psycopg2
import zmq
from aiohttp import web
from elasticsearch import Elasticsearch
from kafka import KafkaProducer
from prometheus_client import start_http_server

parser = argparse.ArgumentParser()
parser.add_argument("-p", "--port", type=int, default=7001, help="port to listen on (default 7001)")
parser.add_argument("--timeout", type=int, default=5000)
parser.add_argument("--metrics", type=int, metavar="PORT", default=9108)


def connections():
    db = psycopg2.connect(host="localhost", port=5434, dbname="shop", connect_timeout=3)
    mq = pika.BlockingConnection(pika.ConnectionParameters("localhost", 5673))
    es = Elasticsearch([{"host": "localhost", "port": 9201, "scheme": "http"}])
    producer = KafkaProducer(bootstrap_servers="localhost:9094", max_block_ms=10000, buffer_memory=33554)
    rpc = xmlrpc.client.ServerProxy("http://localhost:8069/xmlrpc/2/common")
    return db, mq, es, producer, rpc


def push():
    ctx = zmq.Context()
    out = ctx.socket(zmq.PUSH)
    out.bind("tcp://*:5557")
    out.setsockopt(zmq.SNDHWM, 1000)
    return out


async def serve(args):
    runner = web.AppRunner(web.Application(client_max_size=1024**2))
    await runner.setup()
    await web.TCPSite(runner, "localhost", 8089).start()
    server = await asyncio.start_server(echo, "127.0.0.1", 8888)
    start_http_server(8011)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("", 20777))
    data = udp.recv(4096)
    reader, writer = await asyncio.wait_for(asyncio.open_connection("localhost", 6666), timeout=1500)
    return server, data, reader, writer


async def echo(reader, writer):
    writer.write(await reader.read(2048))
