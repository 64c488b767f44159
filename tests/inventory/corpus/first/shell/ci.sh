#!/bin/bash
for port in 3000 3001 8000; do
	fuser -k "$port/tcp" || true
done
export DATABASE_URL="postgres://ci:ci@localhost:5432/ci"
export REDIS_URL=redis://localhost:6379
export NODE_OPTIONS="--max-old-space-size=4096"
git clone --depth 1000 https://git.example.com/shop.git
cat >config.yml <<END
server:
  port: 8088
  timeout: 3000
END
./wait-for-it.sh db:5432 --timeout=3000
npm test -- --testTimeout 20000
