"""workers.py PORT IDENTITY COUNT: the way of ASGI servers with several workers: bind once, listen in each."""
import asyncio
import multiprocessing
import os
import signal
import socket
import sys


async def serve(sock, identity):
    async def answer(reader, writer):
        writer.write(f"{identity} {os.getpid()}\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=sock)
    async with server:
        await server.serve_forever()


def worker(sock, identity):
    asyncio.run(serve(sock, identity))


def main():
    port, identity, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.set_inheritable(True)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=worker, args=(sock, identity)) for _ in range(count)]
    for w in workers:
        w.start()

    def end(*_):
        for w in workers:
            w.terminate()

    signal.signal(signal.SIGTERM, end)
    print("all started", flush=True)
    for w in workers:
        w.join()


if __name__ == "__main__":
    main()
