package main

import "net/http"
import "os"

func stock() (*http.Response, error) {
	return http.Get("http://localhost:" + envOr("STOCK_PORT", "4030") + "/stock")
}

// envOr returns an environment variable, or the fallback where it is not set.
func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
