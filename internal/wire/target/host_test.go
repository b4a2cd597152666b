package target

import (
	"strings"
	"testing"
)

func TestTakesEveryValidHost(t *testing.T) {
	for _, test := range []struct{ in, host, port string }{
		{"a", "a", ""}, {"a.example", "a.example", ""}, {"A.Example", "A.Example", ""}, {"a.example.", "a.example.", ""}, {"a_b.example", "a_b.example", ""},
		{"a.example:80", "a.example", "80"}, {"a.example:", "a.example", ""}, {"a:0", "a", "0"}, {"a:65535", "a", "65535"}, {"a:00080", "a", "00080"},
		{"127.0.0.1:8080", "127.0.0.1", "8080"}, {"999.1", "999.1", ""}, {"xn--bcher-kva.example", "xn--bcher-kva.example", ""},
		{"-a", "-a", ""}, {"~a!$&'()*+,;=", "~a!$&'()*+,;=", ""}, {"b%C3%BCcher.example", "b%C3%BCcher.example", ""},
		{"[::]", "[::]", ""}, {"[::1]:443", "[::1]", "443"}, {"[2001:DB8::7]", "[2001:DB8::7]", ""}, {"[1:2:3:4:5:6:7:8]:", "[1:2:3:4:5:6:7:8]", ""},
		{"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", ""}, {"[1:2:3:4:5:6:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", ""}, {"[1::]", "[1::]", ""},
		{"[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", ""}, {"[::2:3:4:5:6:7:8]", "[::2:3:4:5:6:7:8]", ""}, {"[v1.a:b]:1", "[v1.a:b]", "1"},
	} {
		host, port, ok := CheckHost([]byte(test.in))
		if !ok || string(host) != test.host || string(port) != test.port {
			t.Errorf("%q: got %q, %q, %v", test.in, host, port, ok)
		}
	}
}

// TestRefusesInvalidHosts covers RFC 3986, section 3.2.2, and RFC 9110, sections 4.2.1, 4.2.4 and 7.2.
func TestRefusesInvalidHosts(t *testing.T) {
	for _, in := range []string{
		"", ":", ":80", " a", "a ", "a b", "a\tb", "a/b", "a?b", "a#b", "a@b", "u:p@b", `a\b`, `"a"`, "<a>", "a^b", "a`b", "a{b", "a|b", "a\x00", "a\x7f", "a\x80", "bücher.example",
		"http://a", "a:b", "a:80a", "a:-1", "a:+1", "a: 80", "a:80:80", "a::80", "a:65536", "a:99999999999999999999", "a:0x50",
		// A second spelling of an ASCII name is no name (RFC 3986, section 3.2.2).
		"%61.example", "a%00", "a%2Fb", "a%", "a%8", "a%8g", "%41",
		"::1", "1::2:80", "[]", "[", "]", "[::1", "::1]", "[::1]80", "[::1]a", "[::1]:a", "[[::1]]", "a[::1]", "[:]", "[:::]", "[1:2]", "[1::2::3]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]",
		"[::1:2:3:4:5:6:7:8]", "[12345::]", "[g::]", "[1:2:3:4:5:6:7]", "[::1%eth0]", "[::1%25eth0]", "[fe80::1%251]", "[:1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:]", "[::1.2.3]", "[::1.2.3.4.5]",
		"[::256.0.0.1]", "[::01.2.3.4]", "[1.2.3.4]", "[1:2:3:4:5:6:7:1.2.3.4]", "[1:2:3:4:5::6:1.2.3.4]", "[::1.2.3.4:1]", "[::1.2.3.]", "[v.a]", "[v1.]", "[v1a]", "[vg.a]", "[v1.a/b]", "[ ::1]",
	} {
		if host, port, ok := CheckHost([]byte(in)); ok {
			t.Errorf("%q: taken as %q, %q", in, host, port)
		}
	}
}

func TestLowerCopiesOnlyWhenThereAreCapitals(t *testing.T) {
	in := []byte("a.example:80")
	if got := Lower(nil, in); &got[0] != &in[0] {
		t.Error("copied without need")
	}
	in = []byte("a.ExAmPlE:80[\xC4@Z")
	if got := Lower(make([]byte, 3, 64), in); string(got) != "a.example:80[\xC4@z" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(string(in), "ExAmPlE") {
		t.Error("the input was changed")
	}
}
