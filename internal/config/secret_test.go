package config_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/config"
)

// secretsConfig has a secret, which begins with LIT, in each place that can be told from others.
const secretsConfig = `
tracing: { endpoint: "http://127.0.0.1:4318/v1/traces", headers: { X-Any: "LIT0abcd-${X}" } }
admin: { listen: "127.0.0.1:9000", token: "LIT1abcdefghijklmnop${X}" }
defaults: { headers: { request: { set: { X-Api-Key: LIT2abcdef } } } }
sites:
  http://a:
    headers:
      request: { set: { Authorization: Bearer LIT3abcdef, X-Auth-Token: [LIT4abcdef, "LIT5-{host}"] }, add: { Cookie: s=LIT6 } }
      response: { set: { Set-Cookie: "sid=LIT7; Path=/", X-Secret: "LIT8${X}" } }
    rewrite: { to: "/x?api_key=LIT9", query: { set: { token: LITA } } }
    routes:
    - { match: { query: { token: LITB }, header: { X-Api-Key: [LITC, LITD] } }, redirect: "https://user:LITE@a.example/?token=LITF&page=2" }
    - { match: /b, redirect: { to: "https://LITG@a.example/#access_token=LITH" } }
    - { match: /c, respond: { headers: { Set-Cookie: s=LITI, Location: "/?key=LITJ" } } }
    to: 10.0.0.1:80
`

func loaded(t *testing.T, text string) (*config.Decoder, *config.Config) {
	t.Helper()
	d := &config.Decoder{Features: []string{"headers", "rewrite", "redirect", "respond"}}
	cfg := config.Load(d, config.Files(map[string]string{"sluice.yaml": text}, map[string]string{"X": "filled-in"}), "sluice.yaml")
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	return d, cfg
}

func TestLiteralSecretsAreWrittenNowhere(t *testing.T) {
	d, cfg := loaded(t, secretsConfig)
	changed := &config.Node{Kind: config.Map}
	texts := map[string]string{"YAML": cfg.Root.YAML(), "JSON": string(cfg.Root.JSON()), "merged": cfg.Merged().YAML(), "diff": fmt.Sprint(config.Diff(cfg.Root, changed), config.Diff(changed, cfg.Root))}
	for i := range strings.Split(strings.TrimSpace(secretsConfig), "\n") {
		at := config.Pos{File: "sluice.yaml", Line: i + 2, Column: 1}
		texts[fmt.Sprint("line ", at.Line)] = d.Source(config.Diagnostic{Pos: at, Width: 1})
	}
	texts["sent"] = d.Mask("Authorization: Bearer LIT3abcdef\nX: LIT2abcdef\nCookie: s=LIT6\nLocation: https://user:LITE@a.example/?token=LITF&page=2")
	for name, text := range texts {
		if text == "" || strings.Contains(text, "LIT") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// What says nothing itself is shown as it is written, and can be sent again.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	for _, text := range []string{
		`Authorization: "Bearer ${X}"`, `X-Api-Key: "${X}"`, `X-Token: "{cookie.token}"`, `Authorization: "Bearer {header.X-Token}"`, `X-Author: me`, `X-Api-Key: "${X}{host}"`,
		`X-Password: ["${X}", "Basic ${X}"]`, `Location: "https://{authority}/?token={query.token}"`, `Location: "https://user:${X}@a.example/x@y"`, `X-Key-ID: mine`,
	} {
		_, cfg := loaded(t, "sites: { http://a: { respond: { headers: { "+text+" } } } }")
		if got := cfg.Root.Flow(); strings.Contains(got, "(secret)") {
			t.Errorf("%s: %s", text, got)
		}
	}
	_, cfg := loaded(t, `sites: { http://a: { headers: { response: { set: { Set-Cookie: "sid=; Max-Age=0" } } }, routes: [{ match: { header: { Authorization: "*", Cookie: "*beta*" } } }], to: "127.0.0.1:1" } }`)
	if got := cfg.Root.Flow(); strings.Contains(got, "(secret)") {
		t.Error(got)
	}
}

func TestWhatStandsForASecretIsRefused(t *testing.T) {
	for _, text := range []string{
		"admin: { token: (secret) }", "admin: { token: '(secret)' }", `{ "admin": { "token": "(secret)" } }`, `email: "(secret)"`,
		"sites: { http://a: { headers: { request: { set: { Authorization: (secret) } } }, to: '10.0.0.1:1' } }", "tracing: { headers: { A: (secret) } }",
		"acme: { eab: { kid: a, key: (secret) } }", "sites: { http://a: { to: [(secret)] } }", "email: |-\n  (secret)\n", "defaults: { x: [[(secret)]] }",
	} {
		d := &config.Decoder{Features: []string{"headers"}}
		config.Load(d, config.Text("f", text), "f")
		found := 0
		for _, diag := range d.Diagnostics {
			if diag.Code == "hidden-value" && diag.Severity == config.Error && diag.Pos.Line > 0 {
				found++
			}
		}
		if found != 1 || !d.Failed() {
			t.Errorf("%s: %v", text, d.Diagnostics)
		}
	}
}

// Nothing that was hidden can be sent again: each place is named.
func TestAConfigThatHidesSomethingCannotBeSentAgain(t *testing.T) {
	_, cfg := loaded(t, secretsConfig)
	for _, text := range []string{cfg.Root.YAML(), string(cfg.Root.JSON()), cfg.Root.Flow()} {
		d := &config.Decoder{Features: []string{"headers", "rewrite", "redirect", "respond"}}
		config.Load(d, config.Text("f", text), "f")
		found := 0
		for _, diag := range d.Diagnostics {
			if diag.Code == "hidden-value" {
				found++
			}
		}
		if want := strings.Count(text, "(secret)"); found != want {
			t.Errorf("%d of %d are refused: %s", found, want, text)
		}
	}
}

// The value of a parameter stays out of the message, too.
func TestTheSourceOfAnEndpointWithAKeyIsStarred(t *testing.T) {
	d := &config.Decoder{}
	config.Load(d, config.Text("f", "tracing: { endpoint: \"http://h:4318/v1?key=LITabcdef\" }\nsites: { http://a: { to: 10.0.0.1:80 } }\n"), "f")
	var out strings.Builder
	if err := d.Render(&out, false); err != nil || !strings.Contains(out.String(), "bad-url") || strings.Contains(out.String(), "LIT") {
		t.Error(out.String(), err)
	}
}
