package config

import "testing"

func TestLoad(t *testing.T) {
	cases := []struct {
		name string
		in   string
		port int
		want int
	}{
		{name: "default", in: "", port: 3000, want: 200},
		{name: "other", in: "x", port: 3001, want: 404},
	}
	for _, c := range cases {
		if got := Status(c.in, c.port); got != c.want {
			t.Errorf("%s: got %d, want %d (1000 tries)", c.name, got, c.want)
		}
	}
	if size := len(make([]byte, 4096)); size != 4096 {
		t.Fatal("size")
	}
}
