package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// portOf is the port of any address.
func portOf(a net.Addr) string {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return port
}

func serveHTTP(args []string) error {
	listener, err := net.Listen("tcp", ":"+args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening on", portOf(listener.Addr()))
	http.HandleFunc("/who", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, args[1]) })
	http.HandleFunc("/addr", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, portOf(listener.Addr()))
	})
	http.HandleFunc("/title.js", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "document.title += \", Go of %s\"\n", args[1])
	})
	return http.Serve(listener, nil)
}

// different is a set of answers that many goroutines fill.
type different struct {
	sync.Mutex
	lines map[string]bool
}

func (d *different) add(line string) {
	d.Lock()
	defer d.Unlock()
	if d.lines == nil {
		d.lines = map[string]bool{}
	}
	d.lines[strings.TrimSpace(line)] = true
}

func (d *different) print() {
	lines := make([]string, 0, len(d.lines))
	for line := range d.lines {
		lines = append(lines, line)
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
}

// brief keeps an error short: what the kernel said.
func brief(err error) string {
	text := err.Error()
	if at := strings.LastIndex(text, ": "); at >= 0 {
		text = text[at+2:]
	}
	return text
}

// get asks as Go programs do, by net/http. The connection's peer must be the port that was asked for.
func get(args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: 20 * time.Second}
	transport := &http.Transport{DisableKeepAlives: true}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if _, wanted, _ := net.SplitHostPort(address); portOf(conn.RemoteAddr()) != wanted {
			conn.Close()
			return nil, fmt.Errorf("%s: the peer says %s", address, portOf(conn.RemoteAddr()))
		}
		return conn, nil
	}
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	var answers different
	var all sync.WaitGroup
	for _, url := range args[1:] {
		for i := 0; i < count; i++ {
			all.Add(1)
			go func(url string) {
				defer all.Done()
				response, err := client.Get(url)
				if err != nil {
					answers.add(brief(err))
					return
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil {
					answers.add(brief(err))
				} else if response.StatusCode != 200 {
					answers.add(response.Status)
				} else {
					answers.add(string(body))
				}
			}(url)
		}
	}
	all.Wait()
	answers.print()
	return nil
}
