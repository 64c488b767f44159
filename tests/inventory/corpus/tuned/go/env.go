package env

import (
	"cmp"
	"os"
	"strconv"
)

const DefaultPort = 8080
const timeoutMillis = 5000

func Port() string { return cmp.Or(os.Getenv("PORT"), "8080") }

func getEnv(key, fallback string) string {
	if v, ok := os.LookupEnv(key); ok {
		return v
	}
	return fallback
}

var (
	dbPort   = getEnv("DB_PORT", "5432")
	pageSize = getEnv("PAGE_SIZE", "1000")
	n, _     = strconv.Atoi("4000")
)
