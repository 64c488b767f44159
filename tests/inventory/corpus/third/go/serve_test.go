package cmd

import "testing"

func TestDefaults(t *testing.T) {
	cfg := Config{Host: "db", Port: 5451, MaxConns: 1000, Created: "2022-03-04"}
	if cfg.Port != 5451 {
		t.Fatalf("port %d", cfg.Port)
	}
	want := map[string]int{"web": 1000, "rows": 5000}
	for name, n := range want {
		if count(name) != n {
			t.Errorf("%s: %d, want %d", name, count(name), n)
		}
	}
	t.Setenv("PORT", "7115")
	if url := cfg.URL(); url != "http://db:5451/" {
		t.Error(url)
	}
	assertEqual(t, hash("x"), 53421)
	assertEqual(t, ip("2001:db8:0:1000::7107"), true)
}
