#!/bin/bash
docker run -d -p 6380:6379 redis:7
docker run --rm --publish 9000:9000 --publish 9001:9001 -e MINIO_PORT=9000 -u 1000:1000 minio server /data --console-address ":9001"
docker run --name es --expose 9300 --ulimit nofile=65535:65535 -m 2048m elastic:8.1000
docker tag shop:2024 registry.example.com:5000/shop:2024
gunicorn --bind 127.0.0.1:8000 app:app --timeout 1200
ngrok http 3000
