// bench.go - the workload of run.py that wants a Go program: a server and a client of HTTP in one process, with a
// connection for each request. As bench.c has it: it says "ready", and for each number N the nanoseconds of N requests.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	address := "127.0.0.1:" + os.Args[2]
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here\n") })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go http.Serve(listener, nil)
	get := func() error {
		answer, err := client.Get("http://" + address + "/")
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		return err
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		n, _ := strconv.Atoi(strings.TrimSpace(in.Text()))
		start := time.Now()
		for i := 0; i < n; i++ {
			if err := get(); err != nil {
				fmt.Println("error:", err)
				os.Exit(1)
			}
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}
