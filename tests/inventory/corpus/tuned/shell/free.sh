#!/bin/sh
lsof -i :3000 -t | xargs -r kill
npx kill-port 3001
lsof -nP -iTCP:5173 -sTCP:LISTEN
chmod 0644 file
useradd -u 10000 app
date +%Y2024
dd if=/dev/zero of=x bs=4096 count=1000
find . -size +3000k -mtime 2000
