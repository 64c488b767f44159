#!/bin/bash
PORTS=(3000 3001 8080)
YEARS=(2023 2024)
SERVICE_PORTS="7000 7001"
declare -i MAX=5000
for p in "${PORTS[@]}"; do
	[ "$p" -gt 1024 ] && echo "port $p of 65535"
done
echo "Listening on port 3000"
: "${DB_PORT:=5432}"
