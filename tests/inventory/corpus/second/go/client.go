package shop

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/IBM/sarama"
	"google.golang.org/grpc"
)

const userAgent = "shop/2024.06"

type Config struct {
	Host string `env:"HOST" envDefault:"localhost"`
	Port int    `env:"PORT" envDefault:"7766"`
	DB   struct {
		Port    int `yaml:"port" default:"5436"`
		MaxOpen int `yaml:"max_open" default:"2500"`
	}
	Timeout int `env:"TIMEOUT" envDefault:"3000"`
}

func DefaultConfig() Config {
	c := Config{Host: "localhost", Port: 7766}
	c.DB.Port = 5436
	c.Timeout = 3000
	return c
}

func dial() (*grpc.ClientConn, error) {
	return grpc.Dial("localhost:50054", grpc.WithInsecure())
}

func proxy() http.Handler {
	target, _ := url.Parse("http://127.0.0.1:3005")
	return httputil.NewSingleHostReverseProxy(target)
}

func probe() bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:8126", 2000*time.Millisecond)
	if err == nil {
		conn.Close()
	}
	udp := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8125}
	_ = udp
	return err == nil
}

func producer() (sarama.SyncProducer, error) {
	return sarama.NewSyncProducer([]string{"kafka:29092", "localhost:9092"}, nil)
}

func pick(ports []int) int {
	for _, p := range []int{8080, 8081, 8082} {
		if free(p) {
			return p
		}
	}
	return 0
}

func status(code int) string {
	switch {
	case code >= 500:
		return "server"
	case code == 4040:
		return "odd"
	}
	return time.Date(2022, 10, 25, 12, 3000, 0, 0, time.UTC).String()
}
