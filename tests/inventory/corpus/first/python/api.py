from fastapi import FastAPI, HTTPException
import httpx
import uvicorn

app = FastAPI(version="2.3.1")
INVENTORY = "http://inventory:8081/items"
RETRY_AFTER = 3000


@app.get("/orders/{order_id}")
async def order(order_id: int):
    if order_id > 9000:
        raise HTTPException(status_code=404, detail=f"order {order_id} is older than 2015")
    async with httpx.AsyncClient(timeout=5000) as c:
        r = await c.get(f"http://localhost:{8000 + 80}/x")
        s = await c.get(f"{INVENTORY}/{order_id}?limit=1000")
    return {"code": 2000, "items": r.json() + s.json()}


if __name__ == "__main__":
    uvicorn.run("api:app", host="127.0.0.1", port=8000, workers=4, timeout_keep_alive=65, log_level="info")
