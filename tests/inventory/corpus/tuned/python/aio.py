import asyncio
import aiohttp
from aiohttp import web


async def main():
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 8899, limit=65536)
    reader, writer = await asyncio.open_connection("localhost", 8899)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5000)) as s:
        await s.get("http://localhost:8900/x", params={"limit": 1000})
    await reader.read(1024)
    web.run_app(web.Application(), port=8901)
    return server, writer
