package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

func serveUDP(args []string) error {
	packets, err := net.ListenPacket("udp", ":"+args[1])
	if err != nil {
		return err
	}
	fmt.Println("bound to", portOf(packets.LocalAddr()))
	buffer, identity := make([]byte, 512), []byte(args[2])
	for {
		if args[0] == "packet" {
			_, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return err
			}
			if _, err := packets.WriteTo(identity, from); err != nil {
				return err
			}
			continue
		}
		socket := packets.(*net.UDPConn)
		_, _, _, from, err := socket.ReadMsgUDP(buffer, nil)
		if err != nil {
			return err
		}
		if _, _, err := socket.WriteMsgUDP(identity, nil, from); err != nil {
			return err
		}
	}
}

// once sends one datagram and says what came back, and from where.
func once(kind string, to *net.UDPAddr) (string, error) {
	buffer := make([]byte, 512)
	if kind == "connected" {
		conn, err := net.DialUDP("udp", nil, to)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Write([]byte("who")); err != nil {
			return "", err
		}
		n, from, err := conn.ReadFromUDP(buffer)
		if err != nil {
			return "", err
		}
		if conn.RemoteAddr().String() != to.String() {
			return "", fmt.Errorf("the peer says %s", conn.RemoteAddr())
		}
		return fmt.Sprintf("%s %s", buffer[:n], from), nil
	}
	network := "udp4"
	if to.IP.To4() == nil {
		network = "udp6"
	}
	packets, err := net.ListenPacket(network, ":0")
	if err != nil {
		return "", err
	}
	defer packets.Close()
	packets.SetDeadline(time.Now().Add(20 * time.Second))
	if kind == "packet" {
		if _, err := packets.WriteTo([]byte("who"), to); err != nil {
			return "", err
		}
		n, from, err := packets.ReadFrom(buffer)
		return fmt.Sprintf("%s %v", buffer[:n], from), err
	}
	socket := packets.(*net.UDPConn)
	if _, _, err := socket.WriteMsgUDP([]byte("who"), nil, to); err != nil {
		return "", err
	}
	n, _, _, from, err := socket.ReadMsgUDP(buffer, nil)
	return fmt.Sprintf("%s %v", buffer[:n], from), err
}

func ask(args []string) error {
	count := 1
	if len(args) > 3 {
		count, _ = strconv.Atoi(args[3])
	}
	to, err := net.ResolveUDPAddr("udp", net.JoinHostPort(args[1], args[2]))
	if err != nil {
		return err
	}
	var answers different
	var all sync.WaitGroup
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			answer, err := once(args[0], to)
			if err != nil {
				answer = brief(err)
			}
			answers.add(strings.TrimSpace(answer))
		}()
	}
	all.Wait()
	answers.print()
	return nil
}
