package accesslog

import (
	"testing"
	"time"

	"sluice/internal/config"
	"sluice/internal/exchange"
)

// everything is the Config of a route that says nothing.
func everything() (c Config) {
	c.Defaults()
	return c
}

// counted is how many of n exchanges with a status are logged.
func counted(c Config, status, n int) (taken int) {
	r := c.compile()
	var d dice
	x := newExchange()
	x.Response.Status = status
	for range n {
		if r == nil || r.takes(x, &d) {
			taken++
		}
	}
	return taken
}

func TestSamplingKeepsItsShareAndAllErrors(t *testing.T) {
	c := everything()
	c.Sample = 0.01
	if n := counted(c, 200, 100_000); n < 900 || n > 1100 {
		t.Errorf("%d of 100000 were taken, want about 1000", n)
	}
	if n := counted(c, 503, 1000); n != 1000 {
		t.Errorf("%d of 1000 errors were taken", n)
	}
	c.Always = nil
	if n := counted(c, 503, 1000); n > 50 {
		t.Errorf("%d of 1000 errors were taken, want about 10", n)
	}
	c.Always = []Status{"404", "none"}
	if counted(c, 404, 100) != 100 || counted(c, 0, 100) != 100 || counted(c, 403, 100) > 20 {
		t.Error("always is not kept")
	}
	c.Sample, c.Always = 0, nil
	if n := counted(c, 200, 1000); n != 0 {
		t.Errorf("%d of 1000 were taken, want none", n)
	}
	if everything().compile() != nil {
		t.Error("a rule that takes all is none")
	}
}

func TestABrokenResponseCountsAsAnError(t *testing.T) {
	c := everything()
	c.Sample = 0
	r := c.compile()
	x := newExchange()
	x.Err = &exchange.Error{Source: exchange.Upstream}
	if r.takes(x, new(dice)) {
		t.Error("a response that was sent whole was taken")
	}
	x.Notes.Aborted = true
	if !r.takes(x, new(dice)) {
		t.Error("a response that the origin broke off was not taken")
	}
	x.Err.Source = exchange.Downstream
	if r.takes(x, new(dice)) {
		t.Error("a response that the client broke off was taken")
	}
}

func TestOnlyLeavesOut(t *testing.T) {
	for name, c := range map[string]struct {
		only Only
		want bool
	}{
		"status":            {Only{Status: []Status{"200"}}, true},
		"class":             {Only{Status: []Status{"404", "2xx"}}, true},
		"other status":      {Only{Status: []Status{"5xx"}}, false},
		"path":              {Only{Path: []string{"/x", "/shop/*"}}, true},
		"exact path":        {Only{Path: []string{"/shop/items"}}, true},
		"other path":        {Only{Path: []string{"/shop"}}, false},
		"method":            {Only{Method: []string{"GET"}}, true},
		"other method":      {Only{Method: []string{"POST"}}, false},
		"slow":              {Only{SlowerThan: config.Duration(10 * time.Millisecond)}, true},
		"not slow enough":   {Only{SlowerThan: config.Duration(13 * time.Millisecond)}, false},
		"one key of two no": {Only{Method: []string{"GET"}, Status: []Status{"404"}}, false},
	} {
		x := newExchange()
		x.Request.MatchPath = []byte("/shop/items")
		cfg := everything()
		cfg.Only = c.only
		if got := cfg.compile().takes(x, new(dice)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// decodeConfig reads a Config as build does.
func decodeConfig(t *testing.T, text string) (Config, *config.Decoder) {
	t.Helper()
	d := &config.Decoder{Features: []string{Name}}
	cfg := config.Load(d, config.Text("sluice.yaml", "sites: { \"http://a.test\": { to: 10.0.0.1:80, log: "+text+" } }"), "sluice.yaml")
	if cfg == nil {
		t.Fatal(d.Diagnostics)
	}
	e, _ := cfg.Sites[0].Feature(Name)
	return config.Make[Config](d, e), d
}

func TestReadsTheConfig(t *testing.T) {
	c, d := decodeConfig(t, `{ sample: 0.5%, always: 404, only: { status: [5xx, none], slower_than: 1s, path: /api/*, method: [GET, POST] } }`)
	if d.Failed() || c.Sample != 0.005 || len(c.Always) != 1 || c.Always[0] != "404" || len(c.Only.Status) != 2 || c.Only.SlowerThan != config.Duration(time.Second) ||
		len(c.Only.Path) != 1 || len(c.Only.Method) != 2 {
		t.Errorf("got %+v, %v", c, d.Diagnostics)
	}
	if c, d := decodeConfig(t, `{ sample: 0.25, always: off }`); d.Failed() || c.Sample != 0.25 || c.Always != nil {
		t.Errorf("got %+v, %v", c, d.Diagnostics)
	}
	for _, bad := range []string{
		`{ sample: 2 }`, `{ sample: -1% }`, `{ sample: NaN }`, `{ sample: a }`, `{ sample: [1%] }`, `{ always: 6xx }`, `{ always: 99 }`, `{ always: 5x }`,
		`{ only: { path: api } }`, `{ only: { path: [/a, "/a*b"] } }`, `{ only: { statuss: 404 } }`, `{ only: { status: "" } }`, `{ only: { status: +20 } }`, `5xx`,
	} {
		if _, d := decodeConfig(t, bad); !d.Failed() {
			t.Errorf("%s is accepted", bad)
		}
	}
}
