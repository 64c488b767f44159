	#!/bin/sh
# Starts the shop. PORT 3000 is the front's.
set -eu
PORT=3000
API="http://localhost:4010"
export PORT API

wait_for()
{
	until curl -fs "http://localhost:$1/" >/dev/null; do sleep 0.1; done
}

python3 api/main.py --port 4010 &
wait_for 4010
until nc -z localhost 4011; do sleep 0.1; done
status=$(curl -fs http://localhost:4010/health)
echo "$status" 'see http://localhost:3000'
cat <<END
open http://localhost:3000
END
node web/server.js
