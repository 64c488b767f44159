package shop

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	cases := []struct {
		in   string
		port int
		size int64
	}{
		{"localhost:8081", 8081, 4096},
		{"[::1]:9091", 9091, 2048},
		{"2001:db8::8080", 0, 1500},
		{"fe80::1%eth0", 0, 9000},
	}
	for _, c := range cases {
		if _, port := split(c.in); port != c.port {
			t.Errorf("%s: %d", c.in, port)
		}
	}
	if got := len(strings.Repeat("x", 5000)); got != 5000 {
		t.Fatal(got)
	}
	rec := httptest.NewRecorder()
	rec.Code = http.StatusTeapot
	if id := orderID("A-20231"); id != 20231 {
		t.Fatalf("order %d, want 20231", id)
	}
	resp, err := http.Get("http://localhost:18080/status/200")
	if err != nil || resp.ContentLength > 10240 {
		t.Skip("no server")
	}
}
