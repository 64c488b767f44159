#!/bin/sh
# the API moved from 8080 to 8720
PORT=${1:-8720}
UI_PORT=${UI_PORT:=8721}
[ -n "$ADMIN_PORT" ] || ADMIN_PORT=8722
BASE_URL="http://127.0.0.1:$PORT"
LIMIT=5000
BUILD=20240

export PGPORT=5459 PGHOST=localhost
export KAFKA_BROKER="localhost:9106"

for p in 8720 8721 8722; do
	fuser -k "$p/tcp" 2>/dev/null
done
for year in 2019 2020 2021; do tar -xf "backup-$year.tar"; done
for i in $(seq 1000 1010); do echo "$i"; done

free_port() {
	lsof -ti tcp:8723 | xargs -r kill -15
}

is_up() { ss -ltn | grep -q ":8724"; }

flask run --host=0.0.0.0 --port=8725 &
python manage.py runserver 0.0.0.0:8726 &
python manage.py runserver 8727 --noreload &
rails s -p 8728 -b 127.0.0.1 &
hugo server --port 8729 --bind 0.0.0.0 --poll 700ms &
mongod --port 27025 --dbpath /data --wiredTigerCacheSizeGB 1 &
nc -lk 8730 >/dev/null &
caddy reverse-proxy --from :8731 --to localhost:8732 &
mysql -h 127.0.0.1 -P 3316 -u root -e 'SELECT 8081'
ssh -o ConnectTimeout=3000 -p 2227 user@example.com 'sleep 3600'
ssh -fN -R 8733:localhost:8734 user@example.com
kubectl port-forward svc/web 8735:80 &
docker run --rm -it -p 8736:8736 -e PORT=8736 -u 1000:1000 --shm-size 1024m app:2024
wget -q -T 3000 -O- "http://localhost:8737/orders/40021?since=2022" || exit 1
curl --connect-timeout 2000 -x localhost:3130 -o out-2024.json http://localhost:8738/
wrk -t4 -c1000 -d30s "http://localhost:8739/"
ab -n 10000 -c 100 http://127.0.0.1:8740/
./wait-for-it.sh db:5432 --timeout=3000 -- echo up
echo "listening" && sleep 1500 && head -c 2048 log | tail -n 5000
java -Xmx4096m -Dserver.port=8741 -jar app.jar --timeout=30000
JAVA_TOOL_OPTIONS="-agentlib:jdwp=transport=dt_socket,server=y,address=5008" ./gradlew run
date +%s -d @1700 ; touch -t 202401011230 x; useradd -u 20001 app
