package build

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/config"
)

// largeConfig returns a config with that many sites and five routes for each.
func largeConfig(sites int) string {
	var b strings.Builder
	b.WriteString("pools:\n")
	for i := range sites / 10 {
		fmt.Fprintf(&b, "  pool-%d:\n    servers: [10.%d.%d.1:8080, 10.%d.%d.2:8080]\n", i, i>>8, i&255, i>>8, i&255)
	}
	b.WriteString("defaults:\n  headers: { response: { set: { X-Frame-Options: DENY } } }\nsites:\n")
	for i := range sites {
		fmt.Fprintf(&b, "  http://site-%d.example.com:\n    to: pool-%d\n    routes:\n", i, i%(sites/10))
		for k := range 5 {
			fmt.Fprintf(&b, "      - match: /part-%d/*\n        timeouts: { response: %ds }\n", k, k+1)
		}
	}
	return b.String()
}

// TestALargeConfigIsAccepted keeps limits from being in the way of many sites.
func TestALargeConfigIsAccepted(t *testing.T) {
	d := &config.Decoder{Features: Features()}
	cfg := config.Load(d, config.Text("f", largeConfig(2000)), "f")
	Build(d, cfg, nil, Env{Loops: 1})
	if len(d.Diagnostics) > 0 || len(cfg.Sites) != 2000 {
		t.Error(len(cfg.Sites), d.Diagnostics)
	}
}

// BenchmarkLargeConfig reads 10,000 sites with 50,000 routes.
func BenchmarkLargeConfig(b *testing.B) {
	src := config.Text("f", largeConfig(10_000))
	b.Run("load", func(b *testing.B) {
		for range b.N {
			config.Load(&config.Decoder{Features: Features()}, src, "f")
		}
	})
	d := &config.Decoder{Features: Features()}
	cfg := config.Load(d, src, "f")
	b.Run("build", func(b *testing.B) {
		for range b.N {
			Build(&config.Decoder{Features: Features()}, cfg, nil, Env{Loops: 1})
		}
	})
}
