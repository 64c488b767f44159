package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

const maxHeader = 8192

var (
	addr    = flag.String("addr", ":8080", "listen address")
	metrics = flag.Int("metrics-port", 9100, "port of /metrics")
	retries = flag.Int("retries", 5000, "how often")
)

func main() {
	flag.Parse()
	port := os.Getenv("PORT")
	if port == "" {
		port = "8090"
	}
	srv := &http.Server{Addr: ":" + port, ReadTimeout: 3000 * time.Millisecond, MaxHeaderBytes: 1 << 20}
	go http.ListenAndServe(fmt.Sprintf(":%d", *metrics), nil)
	l, err := net.Listen("tcp", "127.0.0.1:6060")
	if err != nil {
		log.Fatalf("exit %d: %v", 2000, err)
	}
	_ = l
	log.Fatal(srv.ListenAndServe(), *addr, *retries, maxHeader)
}
