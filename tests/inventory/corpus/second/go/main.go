package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-redis/redis/v8"
	"google.golang.org/grpc"
)

const (
	defaultHTTPPort = 8085
	defaultGRPCPort = "50053"
	maxBody         = 32768
	firstYear       = 2015
)

var (
	listen  = flag.String("listen", ":8085", "address to listen on")
	metrics = flag.Int("metrics-port", 9102, "port of the metrics")
	workers = flag.Int("workers", 1024, "how many at once")
)

func envOr(key, fallback string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return fallback
}

func main() {
	flag.Parse()
	port := envOr("PORT", "8085")
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6382", DialTimeout: 5000 * time.Millisecond, PoolSize: 1000})
	lis, err := net.Listen("tcp", fmt.Sprintf(":%d", 50053))
	if err != nil {
		log.Fatal(err)
	}
	go grpc.NewServer(grpc.MaxRecvMsgSize(65535)).Serve(lis)
	go http.ListenAndServe("localhost:6060", nil)
	srv := &http.Server{Addr: net.JoinHostPort("", port), ReadTimeout: 15000 * time.Millisecond, MaxHeaderBytes: 1 << 20}
	ctx, cancel := context.WithTimeout(context.Background(), 30000*time.Millisecond)
	defer cancel()
	if err := rdb.Set(ctx, "since", firstYear, 3600).Err(); err != nil {
		log.Println(err)
	}
	log.Fatal(srv.ListenAndServeTLS("cert.pem", "key.pem"))
}
