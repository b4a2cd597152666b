package build

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/forward"
	"sluice/internal/observe"
	"sluice/internal/observe/metric"
	"sluice/internal/snapshot"
	"sluice/internal/upstream"
)

// built loads and builds a config, and returns what was wrong as "line:column code: text".
func built(t testing.TB, text string, prev *snapshot.Snapshot) (*snapshot.Snapshot, []string) {
	t.Helper()
	d := &config.Decoder{Features: Features()}
	cfg := config.Load(d, config.Text("sluice.yaml", text), "sluice.yaml")
	var snap *snapshot.Snapshot
	if cfg != nil {
		snap = Build(d, cfg, prev, Env{Loops: 2, ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }})
	}
	var wrong []string
	for _, diag := range d.Diagnostics {
		wrong = append(wrong, fmt.Sprintf("%d:%d %s: %s", diag.Pos.Line, diag.Pos.Column, diag.Code, diag.Text))
	}
	return snap, wrong
}

// mustBuild is built for a config that is right.
func mustBuild(t testing.TB, text string, prev *snapshot.Snapshot) *snapshot.Snapshot {
	t.Helper()
	snap, wrong := built(t, text, prev)
	if len(wrong) > 0 {
		t.Fatalf("%q", wrong)
	}
	return snap
}

const example = `
trusted_proxies: [10.0.0.0/8]
limits: { head: 32KiB, request_body: 1MB }
pools:
  shop: { servers: [10.0.0.1:80, { address: "10.0.0.2:80", weight: 2 }], max_connections: 7 }
  files: { servers: ["unix:/run/files.sock"], host: server }
defaults:
  headers: { response: { set: { X-A: a } } }
sites:
  http://shop.example.com:
    to: shop
    routes:
      - match: /static/*
        to: files
        timeouts: { response: 3s }
      - match: { path: /old, method: [GET, HEAD] }
        redirect: /new
      - match: /hello
        respond: { status: 200, body: hello }
        headers: off
  http://*.example.com:8080:
    to: 10.0.0.3:80
    rewrite: { strip_prefix: /v2 }
`

func TestTheSameConfigGivesTheSameSnapshot(t *testing.T) {
	a, b := mustBuild(t, example, nil), mustBuild(t, example, nil)
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"listeners", a.Listeners, b.Listeners}, {"settings", a.H1, b.H1}, {"trust", a.Trust, b.Trust}, {"refused", a.Refused, b.Refused},
		{"generation", a.Generation, b.Generation}, {"routes", described(a), described(b)}, {"endpoints", keysOf(a), keysOf(b)},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			t.Errorf("%s:\n%+v\n%+v", part.name, part.a, part.b)
		}
	}
}

// described says what happens to some requests.
func described(s *snapshot.Snapshot) (all []string) {
	for _, target := range []string{
		"GET http://shop.example.com/", "GET http://shop.example.com/static/x", "GET http://shop.example.com/old", "POST http://shop.example.com/old",
		"GET http://shop.example.com/hello", "GET http://a.example.com:8080/", "GET http://a.example.com/", "GET http://other.example/",
	} {
		method, url, _ := strings.Cut(target, " ")
		x := exchangetest.New(method, url)
		if strings.Contains(url, ":8080") {
			x.Client.Listener = ":8080"
		}
		r := s.Routes.Match(x)
		line := target + " → " + r.Site + " " + r.Name
		if f, ok := r.Forward.(*forward.Forwarder); ok {
			line += fmt.Sprintf(" pool %s, %v, %v", f.Pool.Name, f.Timeouts, f.Content)
		}
		for _, f := range r.Chain.Filters() {
			line += " " + f.Name()
		}
		all = append(all, line)
	}
	return all
}

func keysOf(s *snapshot.Snapshot) (keys []string) {
	for _, ep := range endpointsOf(s) {
		keys = append(keys, ep.Address)
	}
	return keys
}

func endpointsOf(s *snapshot.Snapshot) (all []*upstream.Endpoint) {
	for _, p := range s.Pools {
		all = append(all, p.Endpoints...)
	}
	return all
}

func TestRoutesGoWhereTheConfigSays(t *testing.T) {
	got := described(mustBuild(t, example, nil))
	for i, want := range []string{
		"http://shop.example.com site pool shop, ", "http://shop.example.com 1 /static/* pool files, {5s 3s 1m0s}, {1000000 240 5s}",
		"http://shop.example.com 2 /old headers ", "http://shop.example.com site pool shop, ", "http://shop.example.com 3 /hello respond",
		"http://*.example.com:8080 site pool http://10.0.0.3:80, ", " no site", " no site",
	} {
		if _, to, _ := strings.Cut(got[i], "→ "); !strings.HasPrefix(to, want) {
			t.Errorf("%s, want %s", got[i], want)
		}
	}
}

func TestLimitsOfTheConfigReachTheCodecs(t *testing.T) {
	s := mustBuild(t, `
limits: { head: 32KiB, field: 1KiB, fields: 20, target: 2KiB, trailers: 3KiB, chunk_extensions: 4KiB, head_timeout: 1s, idle_timeout: 2s, send_timeout: 3s,
  linger_timeout: 4s, linger: 5KiB, tunnel_timeout: 6s, requests: 7, min_rate: { rate: 8, after: 9s } }
sites: { "http://a.example": { to: 10.0.0.1:80 } }`, nil)
	if got := fmt.Sprintf("%+v", *s.H1); got != "{Wire:{HeadBytes:32768 FieldBytes:1024 Fields:20 TargetBytes:2048 TrailerBytes:3072 ExtensionBytes:4096} "+
		"HeadTimeout:1s IdleTimeout:2s MinRate:8 MinRateAfter:9s SendTimeout:3s LingerTimeout:4s LingerBytes:5120 TunnelIdle:6s Exchanges:7 Reached:<nil> HTTPS:false}" {
		t.Error(got)
	}
}

func TestEndpointsAreKeptOverReloadsByPoolAndAddress(t *testing.T) {
	text := `
pools:
  a: { servers: [10.0.0.1:80, 10.0.0.2:80] }
  b: { servers: [10.0.0.1:80], max_connections: 5 }
limits: { send_timeout: 60s }
sites: { "http://a.example": { to: a, routes: [{ match: /b, to: b }] } }`
	first := mustBuild(t, text, nil)
	for _, c := range []struct {
		name, from, to string
		kept           []bool // of the endpoints of the second snapshot, in order
	}{
		{"nothing", "10.0.0.1", "10.0.0.1", []bool{true, true, true}},
		{"a route", "match: /b", "match: /c", []bool{true, true, true}},
		{"a server more", "10.0.0.2:80]", "10.0.0.2:80, 10.0.0.3:80]", []bool{true, true, false, true}},
		{"a weight", "10.0.0.2:80]", "{ address: 10.0.0.2:80, weight: 3 }]", []bool{true, true, true}},
		{"a pool's limit", "max_connections: 5", "max_connections: 6", []bool{true, true, true}},
		{"a pool's name", " b", " c", []bool{true, true, false}},
		{"a server's address", "10.0.0.2:80]", "10.0.0.2:81]", []bool{true, false, true}},
		{"what all clients have", "send_timeout: 60s", "send_timeout: 61s", []bool{true, true, true}},
	} {
		second := mustBuild(t, strings.ReplaceAll(text, c.from, c.to), first)
		if second.Generation != 2 || second.Dates != first.Dates {
			t.Errorf("%s: generation %d", c.name, second.Generation)
		}
		before := endpointsOf(first)
		var kept []bool
		for _, ep := range endpointsOf(second) {
			kept = append(kept, slices.Contains(before, ep))
		}
		if !slices.Equal(kept, c.kept) {
			t.Errorf("%s has changed: kept %v, want %v", c.name, kept, c.kept)
		}
	}
}

// Pools written in place with the same server share its endpoint, also after a reload, unless they set something else for it. An operator's word is for all.
func TestPoolsInPlaceShareAServer(t *testing.T) {
	sites := func(to ...string) string {
		text := "sites:\n"
		for i, to := range to {
			text += fmt.Sprintf("  http://%d.example: { to: %s }\n", i, to)
		}
		return text
	}
	const plain, limited = "10.0.0.1:80", "{ servers: [10.0.0.1:80], max_connections: 1 }"
	var snap *snapshot.Snapshot
	var first *upstream.Endpoint
	for _, c := range []struct {
		to   []string
		same []int // index of the first equal endpoint, for each
	}{
		{[]string{plain, plain}, []int{0, 0}},
		{[]string{plain, limited, plain, limited}, []int{0, 1, 0, 1}},
		{[]string{limited, plain}, []int{0, 1}},
		{[]string{limited}, []int{0}},
		{[]string{"{ servers: [10.0.0.1:80], timeouts: { connect: 1s } }", plain}, []int{0, 0}},
	} {
		snap = mustBuild(t, sites(c.to...), snap)
		all := endpointsOf(snap)
		if first == nil {
			first = all[0]
			first.Rotation.Draining.Store(true)
		}
		var same []int
		for _, ep := range all {
			same = append(same, slices.Index(all, ep))
			if !ep.Rotation.Draining.Load() {
				t.Errorf("%q: an endpoint has not heard that its server is taken out", c.to)
			}
		}
		if !slices.Equal(same, c.same) || all[0] != first {
			t.Errorf("%q: %v, want %v", c.to, same, c.same)
		}
	}
}

// A pool that two routes send to is one; two pools with the same server have an endpoint each.
func TestAPoolIsBuiltOnce(t *testing.T) {
	s := mustBuild(t, `
pools: { a: { servers: [10.0.0.1:80] }, b: { servers: [10.0.0.1:80] } }
sites: { "http://a.example": { to: a, routes: [{ match: /a, to: a }, { match: /b, to: b }] } }`, nil)
	if all := endpointsOf(s); len(s.Pools) != 2 || len(all) != 2 || all[0] == all[1] {
		t.Errorf("%d pools, %d endpoints", len(s.Pools), len(all))
	}
}

func TestFiltersStandInTheFixedOrder(t *testing.T) {
	const features = `{ to: 10.0.0.1:80, rewrite: { strip_prefix: /x }, headers: { request: { set: { X-A: a } }, response: { set: { X-B: b } } }, error_pages: { 404: { body: no } } }`
	reversed := `{ error_pages: { 404: { body: no } }, headers: { response: { set: { X-B: b } }, request: { set: { X-A: a } } }, rewrite: { strip_prefix: /x }, to: 10.0.0.1:80 }`
	var orders []string
	for _, site := range []string{features, reversed} {
		s := mustBuild(t, `sites: { "http://a.example": `+site+` }`, nil)
		var names []string
		for _, f := range s.Routes.Match(exchangetest.New("GET", "http://a.example/")).Chain.Filters() {
			names = append(names, f.Name())
		}
		orders = append(orders, strings.Join(names, " "))
	}
	if want := "error_pages headers headers rewrite"; orders[0] != want || orders[1] != want {
		t.Errorf("%q", orders)
	}
	for _, key := range responseOrder {
		if !slices.Contains(Features(), key) {
			t.Errorf("%s has a place among the responses and is no feature", key)
		}
	}
}

func TestTheCountingFilterSeesAlsoWhatIsRefused(t *testing.T) {
	d := &config.Decoder{Features: Features()}
	cfg := config.Load(d, config.Text("t", `sites: { "http://a.example": { respond: { status: 200 } } }`), "t")
	s := Build(d, cfg, nil, Env{Loops: 1, Metrics: observe.NewMetrics(metric.NewSet(1))})
	for _, url := range []string{"http://a.example/", "http://none.example/"} {
		all := s.Routes.Match(exchangetest.New("GET", url)).Chain.Filters()
		if len(all) == 0 || all[len(all)-1].Name() != "metrics" {
			t.Errorf("%s: %d filters", url, len(all))
		}
	}
	if len(s.Refused.Filters()) != 1 || s.H1.Reached == nil {
		t.Error("refused requests, or limits, are not counted")
	}
}

func TestAddressesToListenOn(t *testing.T) {
	s := mustBuild(t, `
listeners: { 8080: { addresses: [127.0.0.1, "::1"] } }
sites:
  http://a.example: { respond: { status: 200 } }
  http://b.example: { respond: { status: 200 } }
  http://:8080: { respond: { status: 200 } }`, nil)
	want := []snapshot.Listener{{Name: ":80", Address: ":80"}, {Name: ":8080", Address: "127.0.0.1:8080"}, {Name: ":8080", Address: "[::1]:8080"}}
	if !slices.Equal(s.Listeners, want) {
		t.Errorf("%+v", s.Listeners)
	}
}

func TestARouteThatNothingReachesIsReportedAsTheManualShows(t *testing.T) {
	_, wrong := built(t, `
sites:
  http://shop.example.com:
    to: 10.0.0.1:80
    routes:
      - match: /static/*
        respond: { status: 200 }
      - match: /static/img/*
        respond: { status: 200 }
`, nil)
	want := []string{`8:16 unreachable: "/static/img/*" never matches: "/static/*" on line 6 takes it first; move it up`}
	if !slices.Equal(wrong, want) {
		t.Errorf("%q", wrong)
	}
}

// Everything that only build can find has the place where it stands.
func TestWhatIsWrongHasItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"sites:\n  a.example: { respond: { status: 200 } }":                                                            "2:3 not-built: TLS",
		"sites:\n  http://a.example:\n    to: https://10.0.0.1":                                                        "3:9 not-built: https://",
		"sites:\n  http://a.example:\n    to: [10.0.0.1:80,\n      \"h2c://10.0.0.2:80\"]":                             "4:7 not-built: h2c://",
		"sites:\n  http://a.example:\n    redirect: \"ht tp://x\"":                                                     "3:",
		"sites:\n  http://a.example:\n    headers: { request: { set: { \"X A\": 1 } } }":                               "3:",
		"sites:\n  http://a.example:\n    respond: { status: 99 }":                                                     "3:",
		"sites:\n  http://a.example:\n    rewrite: { to: x }":                                                          "3:",
		"sites:\n  http://a.example:\n    error_pages:\n      404: { file: none.html }":                                "4:",
		"sites:\n  http://a.example:\n    routes:\n      - match: { path: /%zz }\n        respond: { status: 200 }":    "4:24 bad-pattern",
		"sites:\n  http://a.example:\n    routes:\n      - match: { host: \"a b\" }\n        respond: { status: 200 }": "4:",
	} {
		_, wrong := built(t, text, nil)
		if !slices.ContainsFunc(wrong, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("%s\nsays %q, want %q", text, wrong, want)
		}
	}
}

func TestAllThatIsWrongIsReportedAtOnce(t *testing.T) {
	_, wrong := built(t, `
sites:
  a.example: { respond: { status: 200 } }
  http://b.example: { to: "https://10.0.0.1" }
  http://c.example:
    routes:
      - match: /a*
        respond: { status: 200 }
      - match: /ab
        respond: { status: 200 }
`, nil)
	if len(wrong) != 3 {
		t.Errorf("%q", wrong)
	}
}

// What the fuzzer makes of a config is built, or refused with a reason and a place.
func checkBuilds(t *testing.T, text string) {
	d := &config.Decoder{Features: Features()}
	cfg := config.Load(d, config.Text("t", text), "t")
	if cfg == nil {
		return
	}
	before := d.Failed()
	s := Build(d, cfg, nil, Env{Loops: 1, ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }})
	for _, diag := range d.Diagnostics {
		if diag.Pos.Line == 0 {
			t.Fatalf("%q is nowhere", diag.Text)
		}
	}
	if !before && !d.Failed() && s.Routes.Match(exchangetest.New("GET", "http://a.example/")) == nil {
		t.Fatal("a request has no route")
	}
}

// Routes share the rules for messages only where all that is in them is the same.
func TestRoutesThatSetOtherFieldsHaveOtherRules(t *testing.T) {
	snap := mustBuild(t, `
sites:
  http://a.example:
    to: 10.0.0.1:80
    routes:
      - match: /1
        headers: { request: { set: { X-User: a } } }
      - match: /2
        headers: { request: { remove: [X-Role] } }
      - match: /3
        headers: { request: { set: { X-User: b } } }
`, nil)
	rules := map[string]*forward.Rules{}
	for _, path := range []string{"/", "/1", "/2", "/3"} {
		r := snap.Routes.Match(exchangetest.New("GET", "http://a.example"+path))
		rules[path] = r.Forward.(*forward.Forwarder).Rules
	}
	if rules["/1"] == rules["/"] || rules["/1"] == rules["/2"] || rules["/2"] == rules["/"] || rules["/1"] != rules["/3"] {
		t.Errorf("%v", rules)
	}
}
