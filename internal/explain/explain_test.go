package explain

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sluice/internal/build"
	"sluice/internal/config"
)

const text = `
defaults:
  headers: { response: { set: { Referrer-Policy: same-origin } } }
pools:
  shop: { servers: [10.0.0.11:8080, app.internal:8080] }
sites:
  http://shop.example.com:
    to: shop
    headers: { request: { set: { X-Key: "k ${KEY} {host}" } } }
    routes:
      - match: { path: /admin*, client_ip: 10.0.0.0/8 }
        to: unix:/run/admin.sock
      - match: /admin*
        respond: { status: 403, body: "not ${KEY}\n" }
      - match: /old*
        redirect: https://{host}/new?${KEY}
  http://api.example.com:8080:
    to: app.internal:80
    rewrite: { query: { set: { key: "${KEY}" } } }
trusted_proxies: [10.9.0.0/16]
`

func explained(t *testing.T, q Question) *Answer {
	t.Helper()
	d := &config.Decoder{Features: build.Features()}
	src := config.Files(map[string]string{"sluice.yaml": text}, map[string]string{"KEY": "top secret/1"})
	cfg := config.Load(d, src, "sluice.yaml")
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	a, err := Explain(d, cfg, q)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"top secret", "top%20secret", "top+secret"} {
		if strings.Contains(string(whole), secret) {
			t.Errorf("a secret is shown: %s", whole)
		}
	}
	return a
}

func ask80(method, target string) Question {
	return Question{Method: method, Listen: ":80", Host: "shop.example.com", Target: target, Client: netip.MustParseAddr("192.0.2.1")}
}

func TestTellsWhatWasTriedAndWhatAServerGets(t *testing.T) {
	q := ask80("GET", "/admin/./x")
	q.Client = netip.MustParseAddr("10.1.1.1")
	a := explained(t, q)
	if a.Site == nil || *a.Site != (Place{"http://shop.example.com", "sluice.yaml:7"}) || a.Route != "1 /admin*" || a.Pool != "unix:/run/admin.sock" {
		t.Errorf("%+v %+v", a, a.Site)
	}
	if !strings.HasPrefix(a.Sent, "GET /admin/x HTTP/1.1\nHost: shop.example.com\n") || !strings.Contains(a.Sent, "\nX-Key: k (secret) shop.example.com\n") && !strings.HasSuffix(a.Sent, "\nX-Key: k (secret) shop.example.com") {
		t.Error(a.Sent)
	}
	want := []Setting{
		{"headers.response.set.Referrer-Policy", "same-origin", "sluice.yaml:3"}, {"headers.request.set.X-Key", `"k ${KEY} {host}"`, "sluice.yaml:9"},
		{"to", "unix:/run/admin.sock", "sluice.yaml:12"},
	}
	if !slices.Equal(a.Settings, want) {
		t.Errorf("%+v", a.Settings)
	}

	a = explained(t, ask80("GET", "/admin"))
	steps := []Step{
		{Place{"1 { path: /admin*, client_ip: 10.0.0.0/8 }", "sluice.yaml:11"}, "client_ip: 192.0.2.1 is not in 10.0.0.0/8"}, {Place{"2 /admin*", "sluice.yaml:13"}, ""},
	}
	if !slices.Equal(a.Steps, steps) || a.Sent != "" || !strings.HasPrefix(a.Answered, "HTTP/1.1 403 Forbidden\n") || !strings.Contains(a.Answered, "Referrer-Policy") {
		t.Errorf("%+v", a)
	}

	a = explained(t, ask80("GET", "/"))
	if a.Route != "site" || len(a.Steps) != 3 || a.Pool != "shop" || !slices.Equal(a.Servers, []string{"http://10.0.0.11:8080", "http://app.internal:8080"}) || a.Sent == "" {
		t.Errorf("%+v", a)
	}
}

func TestTellsWhatTracingAdds(t *testing.T) {
	for top, traced := range map[string]bool{"": false, "tracing: { endpoint: 'http://127.0.0.1:4318' }\n": true} {
		d := &config.Decoder{Features: build.Features()}
		cfg := config.Load(d, config.Text("sluice.yaml", top+`sites: { "http://shop.example.com": { to: "10.0.0.1:80" } }`), "sluice.yaml")
		a, err := Explain(d, cfg, ask80("GET", "/"))
		if err != nil || strings.Contains(a.Sent, "\ntraceparent: 00-") != traced {
			t.Errorf("%q: %v, %v", top, a, err)
		}
	}
}

func TestTellsWhatSluiceAnswersByItself(t *testing.T) {
	if a := explained(t, ask80("GET", "/old")); !strings.Contains(a.Answered, "\nLocation: https://shop.example.com/new?(secret)\n") || a.Reason != "" {
		t.Errorf("%+v", a)
	}
	q := ask80("GET", "/")
	q.Host = "other.example"
	if a := explained(t, q); a.Site != nil || !strings.HasPrefix(a.Answered, "HTTP/1.1 421 ") || a.Reason == "" {
		t.Errorf("%+v", a)
	}
	if a := explained(t, ask80("TRACE", "/")); !strings.HasPrefix(a.Answered, "HTTP/1.1 405 ") || !strings.Contains(a.Reason, "TRACE") {
		t.Errorf("%+v", a)
	}
	for _, target := range []string{"/%00", "/a b", "/%zz"} {
		if a := explained(t, ask80("GET", target)); !strings.HasPrefix(a.Answered, "HTTP/1.1 400 ") || a.Reason == "" || a.Steps != nil {
			t.Errorf("%s: %+v", target, a)
		}
	}
}

func TestServersByNameAreNotLookedUp(t *testing.T) {
	q := ask80("POST", "/x?a=1")
	q.Host, q.Listen, q.Fields = "api.example.com:8080", ":8080", []string{"X-Forwarded-For: 1.2.3.4", "Content-Length: 0"}
	a := explained(t, q)
	if !strings.HasPrefix(a.Sent, "POST /x?a=1&key=(secret) HTTP/1.1\n") || strings.Contains(a.Sent, "1.2.3.4") {
		t.Error(a.Sent)
	}
	q.Client = netip.MustParseAddr("10.9.0.1") // a trusted proxy
	if a := explained(t, q); !strings.Contains(a.Sent, "X-Real-IP: 1.2.3.4\n") {
		t.Error(a.Sent)
	}
}

func TestShowsNoSecretOfTheFile(t *testing.T) {
	d := &config.Decoder{Features: build.Features()}
	cfg := config.Load(d, config.Text("sluice.yaml", `sites:
  http://shop.example.com:
    headers: { request: { set: { Authorization: Bearer LITabcdefgh, X-Api-Key: LIT1, X-Token: "LITijklmnop{host}" } } }
    to: 10.0.0.1:80
    routes:
    - { match: /old, redirect: "https://user:LITpassword@a.example{uri}?token=LIT2&page=2" }
    - { match: /cookie, respond: { headers: { Set-Cookie: "sid=LIT34567; Path=/" } } }
    - { match: { query: { token: LIT5 } }, to: 10.0.0.2:80 }
`), "sluice.yaml")
	for target, want := range map[string]string{"/": "\nAuthorization: (secret)", "/old": "\nLocation: https://(secret)@a.example/old?(secret)&page=2", "/cookie": "\nSet-Cookie: (secret)"} {
		a, err := Explain(d, cfg, ask80("GET", target))
		if err != nil {
			t.Fatal(err, d.Diagnostics)
		}
		whole, err := json.Marshal(a)
		if err != nil || strings.Contains(string(whole), "LIT") || !strings.Contains(a.Sent+a.Answered, want) {
			t.Errorf("%s: %s, %v", target, whole, err)
		}
	}
}
