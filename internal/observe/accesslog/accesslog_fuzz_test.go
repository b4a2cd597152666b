package accesslog

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/exchange"
)

// combinedLine takes a line of the Combined Log Format as a reader does that knows no escapes.
var combinedLine = regexp.MustCompile(`^[0-9a-f.:-]+ - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] "([^ "\x00-\x1f]+ [^ "\x00-\x1f]+ [^ "\x00-\x1f]+|-)" \d{3} (\d+|-) "[^"\x00-\x1f]+" "[^"\x00-\x1f]+"\n$`)

// FuzzLine checks that any bytes of a client give exactly one line in valid UTF-8 and within its limit, as JSON and in a format of fields, and that the value of a token is never in it.
func FuzzLine(f *testing.F) {
	f.Add([]byte("/a?b=c"), []byte("agent"), []byte("https://u:p@h/?token=x"), "GET", "zone")
	f.Add([]byte("/\xff%00%2"), []byte("\x1b]0;\x07\u2028"), []byte("//////@@@"), "\n", "%\"")
	f.Add([]byte("http://a:b@c/%3Fx%253D%2526token%253Dy"), []byte(jwt), []byte(`{"password":"x","y`), "M\u202e", "")
	f.Add([]byte("/a/"+jwt+"/?x="+apiKey), []byte("Bearer x"), []byte("Bearer+x&basic y"), "é", "")
	f.Fuzz(func(t *testing.T, target, agent, referer []byte, method, zone string) {
		const secret = "q9PlAnTeDq9"
		x := newExchange()
		if strings.Contains(string(target)+string(agent)+string(referer)+method, secret) {
			t.Skip()
		}
		x.Client.Addr = netip.MustParseAddr("fe80::1").WithZone(zone)
		x.Request.Method, x.Request.Host = method, agent
		x.Request.Received.Target = append(append([]byte{}, target...), "&token="+secret...)
		x.Request.Fields.Set(exchange.FieldUserAgent, agent)
		x.Request.Fields.Set(exchange.FieldReferer, append(append([]byte{}, referer...), "?api_key="+secret...))
		x.Request.Fields.Add(exchange.FieldXRequestID, agent)
		line := lineOf(x)
		m := decoded(t, line)
		if !utf8.ValidString(line) || len(line) > lineBytesMax {
			t.Errorf("%d bytes: %q", len(line), line)
		}
		if m["status"] != 200.0 {
			t.Errorf("a client changed the status: %q", line)
		}
		if strings.Contains(line, secret) {
			t.Errorf("the secret is in %q", line)
		}
		line = string(appendCombined(nil, x, inFull, &stamp{}))
		if !combinedLine.MatchString(line) || !utf8.ValidString(line) || len(line) > lineBytesMax || strings.Contains(line, secret) {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	})
}
