"""The API of the shop. Start it with `uvicorn app:app --port 8000`."""
import os
import ssl

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from redis.asyncio import Redis

DEFAULT_PORT = 8400
ALLOWED = ["http://localhost:3000", "http://127.0.0.1:3000", "https://shop.example"]
CACHE_SECONDS = 3600
SINCE_YEAR = 2019

app = FastAPI(title="shop", version="2024.1")
app.add_middleware(CORSMiddleware, allow_origins=ALLOWED, max_age=7200)
redis = Redis(host=os.environ.get("REDIS_HOST", "localhost"), port=int(os.environ.get("REDIS_PORT", 6381)), db=0)


@app.get("/items/{item_id}", status_code=200)
async def item(item_id: int, limit: int = 1000, offset: int = 0):
    return {"id": item_id, "limit": min(limit, 5000), "offset": offset}


def main() -> None:
    port = int(os.getenv("PORT") or 8400)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if port == 8443 else None
    uvicorn.run("app:app", host="0.0.0.0", port=port, reload=True, ssl_version=context and 17, backlog=2048)


if __name__ == "__main__":
    main()
