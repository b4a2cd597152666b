package target

import (
	"strings"
	"testing"
)

func TestParsesEachFormOfTarget(t *testing.T) {
	for _, test := range []struct {
		method, in string
		want       Target
	}{
		// RFC 9112, section 3.2.1: origin-form.
		{"GET", "/", Target{Path: []byte("/")}},
		{"GET", "/where?q=now", Target{Path: []byte("/where"), Query: []byte("q=now"), HasQuery: true}},
		{"GET", "/?", Target{Path: []byte("/"), HasQuery: true}},
		{"GET", "/a?b?c=/d", Target{Path: []byte("/a"), Query: []byte("b?c=/d"), HasQuery: true}},
		{"GET", "//a//b", Target{Path: []byte("//a//b")}},
		{"OPTIONS", "/x", Target{Path: []byte("/x")}},
		// RFC 9112, section 3.2.2: absolute-form, which servers must accept.
		{"GET", "http://a.example/p?q", Target{Form: Absolute, Scheme: "http", Authority: []byte("a.example"), Path: []byte("/p"), Query: []byte("q"), HasQuery: true}},
		{"GET", "HTTPS://[::1]:443/", Target{Form: Absolute, Scheme: "https", Authority: []byte("[::1]:443"), Path: []byte("/")}},
		// RFC 9110, section 4.2.3: an empty path is "/".
		{"GET", "http://a.example", Target{Form: Absolute, Scheme: "http", Authority: []byte("a.example"), Path: []byte("/")}},
		{"GET", "http://a.example?q", Target{Form: Absolute, Scheme: "http", Authority: []byte("a.example"), Path: []byte("/"), Query: []byte("q"), HasQuery: true}},
		// RFC 9112, section 3.2.3: authority-form.
		{"CONNECT", "a.example:443", Target{Form: Authority, Authority: []byte("a.example:443")}},
		// RFC 9112, section 3.2.4: asterisk-form, also for a URI without path and query.
		{"OPTIONS", "*", Target{Form: Asterisk, Path: []byte("*")}},
		{"OPTIONS", "http://a.example:8001", Target{Form: Asterisk, Scheme: "http", Authority: []byte("a.example:8001"), Path: []byte("*")}},
		{"OPTIONS", "http://a.example/", Target{Form: Absolute, Scheme: "http", Authority: []byte("a.example"), Path: []byte("/")}},
		{"OPTIONS", "http://a.example?", Target{Form: Absolute, Scheme: "http", Authority: []byte("a.example"), Path: []byte("/"), HasQuery: true}},
		// What user agents send although RFC 3986 excludes it.
		{"GET", "/a|b[1]?c[]={d}^`\\|", Target{Path: []byte("/a|b[1]"), Query: []byte("c[]={d}^`\\|"), HasQuery: true}},
		{"GET", "/?p=100%&q=%zz", Target{Path: []byte("/"), Query: []byte("p=100%&q=%zz"), HasQuery: true}},
		{"GET", "/a:b@c;d=1,2!$&'()*+=~", Target{Path: []byte("/a:b@c;d=1,2!$&'()*+=~")}},
	} {
		got, err := Parse(test.method, []byte(test.in))
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.in, err)
			continue
		}
		want := test.want
		if got.Form != want.Form || got.Scheme != want.Scheme || string(got.Authority) != string(want.Authority) || string(got.Path) != string(want.Path) ||
			string(got.Query) != string(want.Query) || got.HasQuery != want.HasQuery {
			t.Errorf("%s %s: got %+v, want %+v", test.method, test.in, got, want)
		}
	}
}

func TestRefusesTargetsOfNoForm(t *testing.T) {
	for _, test := range [][2]string{
		{"GET", ""}, {"GET", "a"}, {"GET", "a/b"}, {"GET", "?q"}, {"GET", "a.example:80"}, {"GET", "./a"}, {"GET", `\a`},
		// RFC 9112, section 3.2.4: "*" is for OPTIONS alone, and is nothing but itself.
		{"GET", "*"}, {"OPTIONS", "**"}, {"OPTIONS", "*?q"}, {"OPTIONS", "*/"}, {"options", "*"},
		// RFC 9112, section 3.2.3: CONNECT takes authority-form alone, with a port (RFC 9110, section 9.3.6).
		{"CONNECT", "/"}, {"CONNECT", "*"}, {"CONNECT", "a.example"}, {"CONNECT", "a.example:"}, {"CONNECT", "a.example:65536"}, {"CONNECT", "http://a.example:80"},
		{"CONNECT", ":80"}, {"CONNECT", "u@a.example:80"},
		// RFC 9110, section 4.2: http and https, with a host, without user information.
		{"GET", "ftp://a.example/"}, {"GET", "http:/a.example/"}, {"GET", "http:a"}, {"GET", "http:///a"}, {"GET", "http://"}, {"GET", "http://:80/"},
		{"GET", "http://u@a.example/"}, {"GET", "http://u:p@a.example/"}, {"GET", "http://a.example:port/"}, {"GET", "http://a.example:99999/"},
		{"GET", "http://a b/"}, {"GET", "http://a\\b/"}, {"GET", "http://[::1/"}, {"GET", "://a/"}, {"GET", "https//a"}, {"GET", "ws://a.example/"},
	} {
		if got, err := Parse(test[0], []byte(test[1])); err == nil {
			t.Errorf("%s %q: taken as %+v", test[0], test[1], got)
		}
	}
}

// TestRefusesBytesThatNoURIHas covers RFC 3986, section 2, and RFC 9112, section 3: an invalid request line is refused, not corrected.
func TestRefusesBytesThatNoURIHas(t *testing.T) {
	for c := range 256 {
		raw := string([]byte{byte(c)})
		control := c <= ' ' || c >= 0x7F
		inPath := !control && !strings.Contains(`"#<>\`, raw)
		inQuery := !control && !strings.Contains(`"#<>`, raw)
		for _, prefix := range []string{"/a", "http://a.example/a"} {
			if _, err := Parse("GET", []byte(prefix+raw+"b")); (err == nil) != inPath {
				t.Errorf("byte %#x in a path: %v", c, err)
			}
			if _, err := Parse("GET", []byte(prefix+"?a"+raw+"b")); (err == nil) != inQuery {
				t.Errorf("byte %#x in a query: %v", c, err)
			}
		}
	}
}
