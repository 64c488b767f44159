DB_PORT=5433
YEAR=2024
test: export DATABASE_URL=postgres://localhost:5433/test
test:
	nc -z localhost 5433
	go test -timeout 3000s ./...
