package main

import (
	"testing"
	"time"
)

func TestInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 20 * time.Second: "20s", 90 * time.Second: "1m30s", 30 * time.Minute: "30m",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}
