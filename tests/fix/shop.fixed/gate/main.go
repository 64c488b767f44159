// Command gate is the shop's gate, on port 8080.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
)

const metrics = ":9464"

// Config says where the gate listens.
type Config struct {
	Host string
	Port int `json:"port"`
	Back uint16
}

var backend = envOr("API_URL", "http://localhost:4010") + "/api"

func main() {
	config := Config{
		Host: "127.0.0.1",
		Port: envPort("GATE_PORT", 8080),
		Back: 4010,
	}
	peer := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: envPort("STOCK_PORT", 4030)}
	stock := 4030
	log.Println(backend, peer, metrics, fmt.Sprintf("%s:%d", config.Host, stock))
	fmt.Println("http://localhost:"+envOr("GATE_PORT", "8080")+"/"+fmt.Sprint(config.Host), 1)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+envOr("GATE_PORT", "8080"), nil))
}

// envPort returns the number in an environment variable, or the fallback where there is none.
func envPort(name string, fallback int) int {
	if port, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return port
	}
	return fallback
}
