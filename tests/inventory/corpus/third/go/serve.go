package cmd

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"github.com/urfave/cli/v2"
)

const Port uint16 = 7100

var (
	addr      = ":7101"
	redisAddr = "127.0.0.1:6398"
	kafka     = []string{"broker-0:9092", "broker-1:9092"}
	sizes     = []int{1024, 4096, 16384}
)

var serveCmd = &cobra.Command{Use: "serve"}

func init() {
	serveCmd.Flags().IntP("port", "p", 7102, "port to listen on")
	serveCmd.Flags().Int("rows", 5000, "rows per page")
	serveCmd.Flags().StringVar(&addr, "listen", "0.0.0.0:7103", "address")
	viper.SetDefault("server.port", 7104)
	viper.SetDefault("server.timeout", 30000)
	viper.SetDefault("db.url", "postgres://app@localhost:5450/shop?connect_timeout=3000")
}

var flags = []cli.Flag{
	&cli.IntFlag{Name: "port", Value: 7105, EnvVars: []string{"PORT"}},
	&cli.IntFlag{Name: "limit", Value: 2500},
}

func getPort() int {
	p, err := strconv.Atoi(os.Getenv("PORT"))
	if err != nil {
		return 7106
	}
	return p
}

func main() {
	r := gin.Default()
	r.MaxMultipartMemory = 8 << 20
	r.Run(":7107")
	e := echo.New()
	e.Logger.Fatal(e.Start(":7108"))
	f := fiber.New(fiber.Config{BodyLimit: 65535, ReadBufferSize: 8192})
	f.Listen("127.0.0.1:7109")
	go http.ListenAndServe(":2112", promhttp.Handler())
	ln, _ := net.ListenTCP("tcp", &net.TCPAddr{Port: 7110})
	pc, _ := net.ListenPacket("udp", ":7111")
	conn, _ := net.Dial("tcp", net.JoinHostPort("localhost", "7112"))
	conn.SetDeadline(time.Now().Add(5000 * time.Millisecond))
	s := &http.Server{Addr: fmt.Sprintf("%s:%d", "localhost", 7113), IdleTimeout: 60000}
	http.Get("http://localhost:7114/users/10042?w=1920&h=1080")
	if d := time.Since(time.Unix(1600, 0)); d.Seconds() > 86400 {
		os.Exit(s.MaxHeaderBytes + 2048)
	}
	_, _, _ = ln, pc, getPort()
}
