#!/bin/sh
# web on 3000
PORT="${PORT:-3000}"
RETRIES=${RETRIES:-1000}
export API_URL="http://localhost:4000"
PORT=4000 node api.js &
rails server -p 3001 -b 0.0.0.0 &
php -S 127.0.0.1:8000 -t public &
flask run --port=5000 &
sleep 3000
exit 127
