package main

import (
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"github.com/spf13/viper"
)

func main() {
	viper.SetDefault("server.port", 8080)
	viper.SetDefault("server.timeout", 3000)
	r := gin.Default()
	r.GET("/", func(c *gin.Context) { c.JSON(200, gin.H{"year": 2024}) })
	go r.Run(":8082")
	e := echo.New()
	e.Logger.Fatal(e.Start(":1323"))
}
