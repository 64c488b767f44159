#!/usr/bin/env bash
# Starts everything for development; the front end is on 3000.
set -euo pipefail

WEB_PORT="${WEB_PORT:-3300}"
: "${API_PORT:=4300}"
export DATABASE_URL="postgres://app:app@localhost:5443/shop"
export REDIS_PORT=6392
readonly MAX_WAIT=3000 LOG_LINES=5000
YEAR=2024

wait_for() {
	for _ in $(seq 1 1000); do
		nc -z localhost "$1" && return
		sleep 0.1
	done
}

if lsof -i :3300 -sTCP:LISTEN >/dev/null; then
	echo "3300 is taken" >&2
	kill -9 "$(lsof -t -i:3300)"
fi
docker run -d --rm --name db -p 5443:5432 --memory 2048m postgres:16.1
docker run -d --rm --name mail -p 127.0.0.1:1027:1025 -p 8027:8025/tcp axllent/mailpit:v1.18
wait_for 5443
python3 -m http.server 8700 --bind 127.0.0.1 &
php -S localhost:8701 -t public &
uvicorn app:app --host 0.0.0.0 --port 8702 --timeout-keep-alive 3600 &
gunicorn -b 127.0.0.1:8703 -w 4 --timeout 3000 wsgi &
PORT=8704 npm start &
npx http-server dist -p 8705 -c 3600 &
redis-server --port 6392 --maxmemory 1024mb --save 3600 1 &
curl -fsS --max-time 2000 "http://localhost:4300/health?since=2023"
psql -h localhost -p 5443 -U app shop -c 'select 8080'
redis-cli -p 6392 config set timeout 3600
timeout 3600 ssh -N -L 8706:localhost:8706 -p 2223 deploy@build.example.com &
chmod 0644 out.log
head -c 4096 /dev/urandom >seed
chown 1000:1000 data
date -d "2024-01-01 12:3000" || true
until (echo >/dev/tcp/localhost/4300) 2>/dev/null; do sleep 1; done
while ! nc -w 2000 127.0.0.1 8702 </dev/null; do sleep 1; done
ufw allow 8707/tcp
iptables -A INPUT -p tcp --dport 8708 -j ACCEPT
socat TCP-LISTEN:8709,fork,reuseaddr TCP:localhost:8702
