package netx

import (
	"fmt"
	"net"
	"time"
)

type Options struct {
	Port    int
	Backlog int
}

var Defaults = Options{Port: 7000, Backlog: 1024}

func Try() error {
	c, err := net.DialTimeout("tcp", "127.0.0.1:7001", 3000*time.Millisecond)
	if err != nil {
		return fmt.Errorf("code %d: %w", 5000, err)
	}
	u := fmt.Sprintf("http://%s:%d/x", "localhost", 7002)
	l, _ := net.ListenTCP("tcp", &net.TCPAddr{Port: 7003})
	_, _, _ = c, u, l
	return nil
}
