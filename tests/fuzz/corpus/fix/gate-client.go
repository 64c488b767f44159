package main

import "net/http"

func stock() (*http.Response, error) {
	return http.Get("http://localhost:4030/stock")
}
