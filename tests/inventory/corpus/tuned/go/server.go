package main

import (
	"log"
	"net/http"
	"time"
)

// Old: ":9999"
func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) })
	s := &http.Server{Addr: ":8081", IdleTimeout: 120 * time.Second, MaxHeaderBytes: 8192}
	go s.ListenAndServe()
	log.Fatal(http.ListenAndServe(":8080", nil))
}
