package k8s

import (
	"net/http/httptest"
	"os"
	"testing"
)

func TestURL(t *testing.T) {
	os.Setenv("PORT", "9090")
	s := httptest.NewServer(nil)
	defer s.Close()
	if got := resolve("http://localhost:9090/x"); got != 200 {
		t.Fatalf("got %d after %d ms", got, 3000)
	}
	port := 0
	if port == 0 {
		port = 8443
	}
}
