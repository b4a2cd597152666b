package errorpages

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/filter/filtertest"
)

// newFilter makes the filter with files whose content is their name.
func newFilter(t *testing.T, text string) filter.Responder {
	t.Helper()
	c := filtertest.MustDecode[Config](t, text)
	var d config.Decoder
	c.ReadFiles(&d, func(name *config.Node) ([]byte, error) { return []byte("content of " + name.Value), nil })
	f, err := New(c)
	if err != nil || d.Failed() {
		t.Fatal(err, d.Diagnostics)
	}
	return f.(filter.Responder)
}

// refused is an exchange that the proxy answers with an error.
func refused(method string, status int, fields ...string) *exchange.Exchange {
	x := exchangetest.New(method, "http://a.example/x?y")
	x.Err = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused}
	x.Respond(status, "text/plain", []byte("ours"))
	exchangetest.AddFields(&x.Response.Fields, fields...)
	return x
}

const pagesText = `
error_pages:
  404: pages/404.html
  503: { file: 503.json }
  429: { body: slow down, content_type: text/x-slow }
  418: { redirect: "https://status.example.com/?from={host}" }
  5xx: { body: "<p>failed" }
`

func TestPagesReplaceTheProxysOwnErrors(t *testing.T) {
	f := newFilter(t, pagesText)
	check := func(status, wantStatus int, wantContent string, wantFields ...string) {
		t.Helper()
		x := refused("GET", status, "Retry-After: 1", "Content-Language: en")
		f.Response(x)
		if s := exchangetest.Send(x); s.Status != wantStatus || s.Content != wantContent || !slices.Equal(s.Fields, wantFields) {
			t.Errorf("%d: %+v", status, s)
		}
	}
	check(404, 404, "content of pages/404.html", "Retry-After: 1", "Content-Type: text/html; charset=utf-8")
	check(503, 503, "content of 503.json", "Retry-After: 1", "Content-Type: application/json")
	check(429, 429, "slow down", "Retry-After: 1", "Content-Type: text/x-slow")
	check(502, 502, "<p>failed", "Retry-After: 1", "Content-Type: text/html; charset=utf-8")
	check(418, 303, "", "Location: https://status.example.com/?from=a.example")
	check(403, 403, "ours", "Content-Type: text/plain", "Retry-After: 1", "Content-Language: en")
}

func TestHeadGetsNoContent(t *testing.T) {
	x := refused("HEAD", 404)
	newFilter(t, pagesText).Response(x)
	if s := exchangetest.Send(x); s.Status != 404 || s.Content != "" || !slices.Equal(s.Fields, []string{"Content-Type: text/html; charset=utf-8"}) {
		t.Errorf("%+v", s)
	}
}

func TestOriginsErrorsAreReplacedIfIntercepted(t *testing.T) {
	for text, want := range map[string]string{"": "origin's", "  intercept: true\n": "<p>failed"} {
		x := exchangetest.New("GET", "http://a/")
		exchangetest.FromOrigin(x, 500, "origin's", "Content-Type: a/b", "Content-Encoding: br", "Content-Length: 8", "ETag: x", "Digest: y", "Set-Cookie: z")
		content := x.Response.Content
		newFilter(t, pagesText+text).Response(x)
		s := exchangetest.Send(x)
		if s.Content != want || s.Status != 500 {
			t.Errorf("%q: %+v", text, s)
		}
		if text == "" {
			continue
		}
		if !slices.Equal(s.Fields, []string{"Set-Cookie: z", "Content-Type: text/html; charset=utf-8"}) {
			t.Errorf("%q", s.Fields)
		}
		if b, err := content.Next(); err == nil {
			t.Errorf("the origin's content was not closed: %q", b)
		}
	}
}

func TestWhatRespondAnswersWithABodyStays(t *testing.T) {
	f := newFilter(t, pagesText)
	for body, want := range map[string]string{"maintenance": "maintenance", "": "<p>failed"} {
		x := exchangetest.New("GET", "http://a/")
		x.Respond(500, "", []byte(body))
		f.Response(x)
		if s := exchangetest.Send(x); s.Content != want {
			t.Errorf("%q became %q", body, s.Content)
		}
	}
}

func TestSuccessIsNoError(t *testing.T) {
	x := exchangetest.New("GET", "http://a/")
	x.Respond(200, "", nil)
	newFilter(t, pagesText).Response(x)
	if s := exchangetest.Send(x); s.Content != "" || s.Status != 200 {
		t.Errorf("%+v", s)
	}
}

func TestOffRemovesAPage(t *testing.T) {
	x := refused("GET", 404)
	newFilter(t, "error_pages: { 404: off, 4xx: { body: any } }").Response(x)
	if s := exchangetest.Send(x); s.Content != "any" {
		t.Errorf("%+v", s)
	}
}

func TestFilesThatCannotBeReadAreReported(t *testing.T) {
	c := filtertest.MustDecode[Config](t, "error_pages:\n  404: missing.html\n  500: { file: large }\n")
	var d config.Decoder
	c.ReadFiles(&d, func(name *config.Node) ([]byte, error) {
		if name.Value == "large" {
			return make([]byte, pageBytesMax+1), nil
		}
		return nil, fmt.Errorf("%s: %w", name.Value, os.ErrNotExist)
	})
	d.Sort()
	if len(d.Diagnostics) != 2 || d.Diagnostics[0].Pos.Line != 2 || !strings.Contains(d.Diagnostics[0].Text, "missing.html") || d.Diagnostics[1].Code != "too-large" {
		t.Errorf("%+v", d.Diagnostics)
	}
}

func TestRefusesFaultySettings(t *testing.T) {
	filtertest.Refuses[Config](t, map[string]string{
		"error_pages: a.html": "a map of statuses", "error_pages: { 200: a }": "1:16 bad-status", "error_pages: { 4x4: a }": "bad-status", "error_pages: { 404: {} }": "one of file",
		"error_pages: { 404: { file: a, body: b } }": "one of file", "error_pages: { 404: [a] }": "name of a file", "error_pages: { 404: { redirect: '{host}' } }": "bad-template",
		"error_pages: { intercept: maybe }": "true or false", "error_pages: { 404: { bdy: a } }": `did you mean "body"?`,
	})
}

func TestExamplesOfTheDocumentation(t *testing.T) {
	for _, text := range filtertest.Examples(t) {
		newFilter(t, text)
	}
}

func TestReplacingAllocatesNothing(t *testing.T) {
	f := newFilter(t, pagesText)
	x := refused("GET", 404)
	body := []byte("ours")
	if n := testing.AllocsPerRun(100, func() {
		x.Respond(404, "text/plain", body)
		f.Response(x)
		x.Scratch.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
