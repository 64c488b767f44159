#!/bin/sh
umask 0022
VERSION=1.2.3000
RELEASE=2024
docker build --build-arg UID=10001 -t shop:3000 .
docker run -d --name shop -p 8080:80 -p 127.0.0.1:9229:9229 -e PORT=80 --memory 2048m shop:3000
ssh -p 2222 -L 5433:db.internal:5432 deploy@example.com true
scp -P 2222 app.tar.gz deploy@example.com:/srv/4000
kubectl port-forward svc/shop 8081:80 >/dev/null &
kubectl scale --replicas=3000 deploy/shop
chmod 0755 run && chown 1000:1000 run
sleep 5000
