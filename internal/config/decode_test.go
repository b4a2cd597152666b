package config_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
)

// rateLimit is how a feature writes its settings.
type rateLimit struct {
	// Rate is how many requests a client may make.
	Rate config.Rate `conf:"rate,required"`
	// Burst is how many may come at once.
	Burst int `conf:"burst,min=1,max=100000"`
	// Status is what a client gets beyond the rate.
	Status int `conf:"status,min=400,max=599"`
	// Note is shown to it.
	Note string `conf:"note,text"`
	// Exempt are addresses without a limit.
	Exempt []netip.Prefix `conf:"exempt,one"`
	// Delay is waited before the answer.
	Delay *config.Duration `conf:"delay,off"`
	// Fields are set in the answer.
	Fields map[string]string `conf:"fields"`
	// Share is a part of the requests.
	Share  float64 `conf:"share,min=0,max=1"`
	Shards uint8   `conf:"shards"`
}

func (r *rateLimit) Defaults() {
	*r = rateLimit{Burst: 1, Status: 429, Fields: map[string]string{"X-A": "a", "X-B": "b"}}
}

func decodeRateLimit(t *testing.T, settings string) (rateLimit, *config.Decoder) {
	t.Helper()
	d := &config.Decoder{}
	root := d.Parse(config.Text("f.yaml", "rate_limit: "+settings+"\n"), "f.yaml")
	if root == nil {
		t.Fatal(d.Diagnostics)
	}
	return config.Make[rateLimit](d, root.Entries[0]), d
}

func TestDecodesTheSettingsOfAFeature(t *testing.T) {
	got, d := decodeRateLimit(t, `{ rate: 20/s, burst: 40, note: "a\nb", exempt: 10.0.0.1, delay: off, fields: { X-B: off, X-C: c }, share: 0.5, shards: 7 }`)
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	if got.Delay == nil || *got.Delay != 0 {
		t.Error("off is zero for a pointer to a time")
	}
	got.Delay = nil
	want := rateLimit{
		Rate: config.Rate{Count: 20, Per: time.Second}, Burst: 40, Status: 429, Note: "a\nb", Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")},
		Fields: map[string]string{"X-A": "a", "X-C": "c"}, Share: 0.5, Shards: 7,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestAFaultySettingKeepsItsDefault(t *testing.T) {
	got, d := decodeRateLimit(t, `{ burst: 0, status: x, fields: [], share: 2, shards: 300, delay: 5 }`)
	var codes []string
	for _, diag := range d.Diagnostics {
		codes = append(codes, diag.Code)
	}
	slices.Sort(codes)
	if want := "bad-duration missing out-of-range out-of-range out-of-range wrong-type wrong-type"; strings.Join(codes, " ") != want {
		t.Errorf("got %v", codes)
	}
	if got.Burst != 1 || got.Status != 429 || len(got.Fields) != 2 || got.Share != 0 || got.Shards != 0 || got.Delay != nil {
		t.Errorf("got %+v", got)
	}
}

func TestMergesKeyByKeyAndKeepsPlaces(t *testing.T) {
	d := &config.Decoder{}
	src := config.Files(map[string]string{
		"outer": "headers:\n  set: { A: 1, B: 2 }\n  remove: [X]\ncache: { ttl: 1h }\n",
		"inner": "headers:\n  set: { B: 3, C: 4 }\n  remove: [Y]\ncache: off\n",
	}, nil)
	merged := config.Merge(d.Parse(src, "outer"), d.Parse(src, "inner"))
	set := merged.Get("headers").Get("set")
	var got []string
	for _, e := range set.Entries {
		got = append(got, e.Key.Value+"="+e.Value.Value+"@"+e.Value.Pos.String())
	}
	if want := "A=1@outer:2:13 B=3@inner:2:13 C=4@inner:2:19"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	if remove := merged.Get("headers").Get("remove"); len(remove.Items) != 1 || remove.Items[0].Value != "Y" {
		t.Errorf("a list replaces, got %+v", remove)
	}
	if !merged.Get("cache").IsOff() {
		t.Error("off replaces a map")
	}
	if config.Merge(nil, set) != set || config.Merge(set, nil) != set {
		t.Error("merging with nothing changes nothing")
	}
}

func TestInheritsFromDefaultsSiteAndRoute(t *testing.T) {
	c, d := load(map[string]string{"sluice.yaml": `
limits: { request_body: 5MB }
defaults:
  timeouts: { connect: 1s, response: 2s }
  headers: { response: { set: { X-A: a } } }
  redirect: https://elsewhere.example
pools:
  p: { servers: [{ address: 10.0.0.1:80, weight: 3 }, "unix:/run/a.sock"], timeouts: { idle: 9s } }
sites:
  http://a.example:
    to: p
    timeouts: { response: off }
    limits: { min_rate: off }
    routes:
      - match: [/x, { method: POST, header: { X-Y: ["1", "2"] } }]
        to: [10.0.0.2:80]
        headers: { response: { set: { X-B: b } } }
        cache: off
      - match: /y
        limits: { request_body: off }
  http://b.example:
    respond: { status: 204 }
    routes: [{ match: /a, to: 10.0.0.9:80, routes: 1 }]
`})
	if len(d.Diagnostics) != 1 || d.Diagnostics[0].Code != "unknown-key" {
		t.Fatal(d.Diagnostics)
	}
	site := c.Sites[0]
	if site.To.Pool != c.Pools["p"] || site.To.Pool.Name != "p" || site.To.Pool.Servers[0].Weight != 3 || site.To.Pool.Servers[1].Weight != 1 {
		t.Errorf("got %+v", site.To.Pool)
	}
	if got := site.Timeouts.Over(site.To.Pool.Timeouts); got != (config.Timeouts{Connect: config.Duration(time.Second), Idle: config.Duration(9 * time.Second)}) {
		t.Errorf("timeouts: got %+v", got)
	}
	if site.Limits.RequestBody != 5e6 || site.Limits.MinRate != (config.MinRate{}) {
		t.Errorf("limits: got %+v", site.Limits)
	}
	if _, ok := site.Feature("redirect"); ok {
		t.Error("the site's to must remove the redirect of defaults")
	}
	first, second := site.Routes[0], site.Routes[1]
	if len(first.Match) != 2 || first.Match[0].Path[0] != "/x" || !reflect.DeepEqual(first.Match[1].Header, map[string][]string{"X-Y": {"1", "2"}}) {
		t.Errorf("match: got %+v", first.Match)
	}
	headers, ok := first.Feature("headers")
	if set := headers.Value.Get("response").Get("set"); !ok || len(set.Entries) != 2 {
		t.Error("headers of defaults and of the route belong together")
	}
	if _, ok := first.Feature("cache"); ok {
		t.Error("cache is off")
	}
	if first.To.Pool.Name != "http://10.0.0.2:80" || second.To.Pool != c.Pools["p"] || second.Limits.RequestBody != 0 {
		t.Errorf("got %+v %+v", first.To.Pool, second)
	}
}

func TestSharesAPoolInPlaceAmongThoseWhoInheritIt(t *testing.T) {
	c, d := load(map[string]string{"sluice.yaml": `
sites:
  http://a.example:
    to: { servers: [10.0.0.1:80] }
    routes: [{ match: /x }, { match: /y }]
`})
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	site := c.Sites[0]
	if site.To.Pool != site.Routes[0].To.Pool || site.To.Pool != site.Routes[1].To.Pool {
		t.Error("one pool is wanted")
	}
}

// allKeys sets every setting that this package knows. TestEveryKeyIsInTheExample compares it with the structs.
const allKeys = `
email: a@example.com
acme:
  directory: https://acme.example/directory
  ca_file: /etc/ca.pem
  email: b@example.com
  challenges: [http-01, tls-alpn-01, dns-01]
  profile: short
  eab: { kid: a, key: b }
  storage: /var/lib/sluice
defaults:
  timeouts: { connect: 1s }
pools:
  p:
    servers: [{ address: "https://a.example", weight: 2, max_connections: 10, tier: 1 }, "h2c://[::1]:50051"]
    balance: round_robin
    host: server
    retry: { attempts: 3 }
    timeouts: { connect: 5s, response: 1m, idle: 1m }
    max_connections: 100
    keep_alive: { connections: 10, idle: 30s }
    resolve: 10s
sites:
  https://*.example.com:8443:
    to: p
    timeouts: { connect: 1s, response: 2s, idle: 3s }
    limits: { request_body: 1MB, min_rate: { rate: 240, after: 5s }, exchange_timeout: 1h }
    tracing: { sample: 100%, trust: nobody }
    forward: { early_hints: true, upgrade: [websocket, h2c], trace: true, hide: Server, map_back: false }
    routes:
      - match: { host: a.example.com, path: /x*, path_regexp: "^/x", method: [GET, HEAD], header: { A: b }, query: { a: "*" }, client_ip: 10.0.0.0/8 }
listeners:
  8443: { addresses: [127.0.0.1, "::1"] }
trusted_proxies: { networks: [10.0.0.0/8], unix: true, fields: x_forwarded }
limits:
  loops: 2
  connections: 10000
  connections_per_address: 100
  head: 64KiB
  field: 16KiB
  fields: 128
  target: 16KiB
  trailers: 16KiB
  head_timeout: 10s
  idle_timeout: 75s
  send_timeout: 1m
  linger_timeout: 5s
  linger: 1MiB
  tunnel_timeout: 1h
  chunk_extensions: 16KiB
  response_head: 64KiB
  response_fields: 256
  drain_timeout: 30s
  requests: 1000
  request_body: 1GB
  min_rate: { rate: 240, after: 5s }
  exchange_timeout: 1h
admin: { listen: "127.0.0.1:9000", metrics: ":9100", token: 0123456789abcdef0123, tls: { cert: a.pem, key: b.pem }, profiles: true }
tracing:
  endpoint: http://127.0.0.1:4318
  headers: { Authorization: "Bearer abc" }
  timeout: 10s
  compression: none
  queue: 1MiB
  limit: 10/s
  service: edge
  attributes: { deployment.environment.name: production }
  sample: 1%
  trust: everyone
log:
  level: warn
  file: /var/log/sluice.log
  rotate: { size: 10MiB, age: 1d, keep: 5, compress: true }
  access:
    file: /var/log/access.log
    syslog: off
    rotate: off
    format: json
    redact: [code]
    addresses: hashed
    hash_key: 0123456789abcdef
include: none.yaml
`

func TestTakesEveryKey(t *testing.T) {
	_, d := load(map[string]string{"sluice.yaml": allKeys, "none.yaml": "pools: {}"})
	for _, diag := range d.Diagnostics {
		t.Error(diag)
	}
}

func TestEveryKeyIsInTheExample(t *testing.T) {
	for _, of := range []any{
		config.Config{}, config.ACME{}, config.EAB{}, config.Pool{}, config.Server{}, config.Retry{}, config.Timeouts{}, config.KeepAlive{}, config.Site{}, config.Route{},
		config.Scope{}, config.ScopeTimeouts{}, config.Limits{}, config.SiteLimits{}, config.MinRate{}, config.Forward{}, config.Condition{}, config.Listener{},
		config.AdminTLS{},
		config.Tracing{}, config.SiteTracing{},
		config.TrustedProxies{}, config.Log{}, config.Rotation{}, config.AccessLog{}, config.Admin{},
	} {
		for _, key := range config.Keys(of) {
			if !strings.Contains(allKeys, key+":") {
				t.Errorf("%T: %s is not in the example", of, key)
			}
		}
	}
}

func TestHasDefaults(t *testing.T) {
	c, d := load(map[string]string{"sluice.yaml": "sites: {}"})
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	if c.Admin == nil || !c.Admin.Metrics.On || c.Log.Access.Format != "json" || c.Limits.Fields != 128 || c.Limits.MinRate.Rate != 240 || c.TrustedProxies.Fields != "either" {
		t.Errorf("got %+v", c)
	}
}

func TestMaskHidesWhatWasFilledIn(t *testing.T) {
	env := map[string]string{"A": "käse und/brot", "B": "käse", "C": "80", "D": "a\xffbcd"}
	d := &config.Decoder{}
	d.Parse(config.Files(map[string]string{"f": `{ a: "x${A}", b: "${B}", c: "${C}", d: "${D}" }`}, env), "f")
	for text, want := range map[string]string{
		"käse und/brot":               "(secret)",
		"k%C3%A4se%20und/brot":        "(secret)",
		"?q=k%c3%a4se+und%2Fbrot&b=1": "?q=(secret)&b=1",
		"käse, 80":                    "(secret), 80",
		"a\xffbcd":                    "(secret)",
		"kase":                        "kase",
	} {
		if got := d.Mask(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
