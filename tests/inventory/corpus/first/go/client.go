package client

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
)

// Dial used port 50050 before version 1.4000.
func Dial(ctx context.Context) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, 5000*time.Millisecond)
	defer cancel()
	return grpc.DialContext(ctx, "localhost:50051", grpc.WithInsecure())
}

func Cache() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "cache:6379", PoolSize: 1000, DB: 15})
}

func Resolve() string {
	return net.JoinHostPort("127.0.0.1", "5353")
}

var backoff = []int{1000, 2000, 4000, 8000}
