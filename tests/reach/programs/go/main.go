// talk - an ordinary network program in Go, for the tests of the suite reach. Nothing in it knows of portshim: its
// ports are what its command line says, as if they stood in its source.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

type command struct {
	name string
	run  func(args []string) error
	min  int
	what string
}

var commands = []command{
	{"http", serveHTTP, 2, "PORT IDENTITY: answers /who with its identity, /addr with its own port"},
	{"get", get, 2, "COUNT URL...: asks each COUNT times at once, a new connection each; the different answers"},
	{"udp", serveUDP, 3, "packet|msg PORT IDENTITY: answers each datagram with its identity"},
	{"ask", ask, 3, "packet|msg|connected HOST PORT [COUNT]: sends datagrams; the answers and their sources"},
	{"late", late, 3, "FIFO PORT IDENTITY: leaves a daemon behind, which serves once FIFO was written to"},
	{"daemon", daemon, 3, "FIFO PORT IDENTITY: that daemon"},
	{"exec", replace, 1, "PROGRAM ARGUMENT...: becomes the program"},
	{"spawn", spawn, 1, "PROGRAM ARGUMENT...: runs the program and waits for it"},
}

// late starts the daemon in a session of its own and ends.
func late(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	daemon := exec.Command(self, append([]string{"daemon"}, args...)...)
	daemon.Stdout, daemon.Stderr = os.Stdout, os.Stderr
	daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := daemon.Start(); err != nil {
		return err
	}
	fmt.Println("daemon", daemon.Process.Pid)
	return nil
}

// daemon does nothing until somebody has opened and closed the FIFO.
func daemon(args []string) error {
	fifo, err := os.Open(args[0])
	if err != nil {
		return err
	}
	io.Copy(io.Discard, fifo)
	fifo.Close()
	return serveHTTP(args[1:])
}

func replace(args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, os.Environ())
}

func spawn(args []string) error {
	child := exec.Command(args[0], args[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	return child.Run()
}

func main() {
	if len(os.Args) > 1 {
		for _, c := range commands {
			if os.Args[1] == c.name && len(os.Args)-2 >= c.min {
				if err := c.run(os.Args[2:]); err != nil {
					fmt.Fprintln(os.Stderr, "talk:", err)
					os.Exit(1)
				}
				return
			}
		}
	}
	for _, c := range commands {
		fmt.Fprintln(os.Stderr, "talk", c.name, c.what)
	}
	os.Exit(2)
}
