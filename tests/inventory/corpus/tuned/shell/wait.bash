#!/usr/bin/env bash
./wait-for-it.sh postgres:5432 -t 3000
until curl -s localhost:9200/_cluster/health; do sleep 5; done
nc -z 127.0.0.1 6379
telnet mail 25
exec 3<>/dev/tcp/localhost/8125
psql -h localhost -p 5433 -c 'select 3000'
ss -ltn | grep -q ':8080 '
