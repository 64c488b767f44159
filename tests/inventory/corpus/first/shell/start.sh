#!/usr/bin/env bash
# Starts everything. Frontend: 3000, API: 8000.
set -euo pipefail
API_PORT=${API_PORT:-8000}
FRONT_PORT=3000
TIMEOUT=3000
mkdir -p 2024/logs

uvicorn app:app --host 0.0.0.0 --port "$API_PORT" --timeout-keep-alive 1200 &
npx vite --port 5173 --strictPort &
until nc -z localhost 5432; do sleep 1; done
curl -sf "http://localhost:8000/health" || exit 111
redis-cli -p 6380 ping
kill -9 "$(lsof -ti:3001)" || true
python3 -m http.server 8765 --directory public &
head -c 4096 /dev/urandom >seed
wait
