package exchangetest

import (
	"slices"
	"testing"
)

func TestFillsWhatACodecFills(t *testing.T) {
	x := New("GET", "https://a.example:8443//x//y?q=1", "X-A: 1", "accept: */*")
	r := &x.Request
	got := []string{r.Method, r.Scheme, string(r.Authority), string(r.Host), string(r.Path), string(r.MatchPath), string(r.Query), string(r.Received.Target), x.Client.Listener}
	want := []string{"GET", "https", "a.example:8443", "a.example", "//x//y", "/x/y", "q=1", "//x//y?q=1", ":443"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if lines := Lines(&r.Fields); !slices.Equal(lines, []string{"X-A: 1", "Accept: */*"}) {
		t.Errorf("fields %q", lines)
	}
	x = New("GET", "http://[::1]")
	if string(x.Request.Host) != "[::1]" || string(x.Request.Path) != "/" || x.Request.HasQuery {
		t.Errorf("host %q path %q", x.Request.Host, x.Request.Path)
	}
}

func TestSendsNoContentForHead(t *testing.T) {
	for method, want := range map[string]string{"GET": "text", "HEAD": ""} {
		x := New(method, "http://a.example/")
		x.Respond(200, "text/plain", []byte("text"))
		if s := Send(x); s.Status != 200 || s.Content != want || s.Err != nil {
			t.Errorf("%s: %+v", method, s)
		}
	}
}
