package web

import (
	"net"
	"strconv"

	"github.com/gofiber/fiber/v2"
)

type Config struct {
	Port    int `yaml:"port"`
	Workers int
}

func Default() Config { return Config{Port: 3030, Workers: 1000} }

func Start(c Config) error {
	app := fiber.New(fiber.Config{BodyLimit: 4 * 1024 * 1024, Concurrency: 256000})
	app.Static("/", "./public", fiber.Static{MaxAge: 3600})
	if c.Port == 443 {
		return app.ListenTLS(":443", "cert.pem", "key.pem")
	}
	udp, _ := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4zero, Port: 8125})
	defer udp.Close()
	return app.Listen(":" + strconv.Itoa(c.Port))
}
