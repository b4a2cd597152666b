package target

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The parsers below are the plain twins of this package: slow, after the letter of the RFCs, and in strings.

var (
	plainPath       = regexp.MustCompile("^/([A-Za-z0-9._~!$&'()*+,;=:@/|^`{}\\[\\]-]|%[0-9A-Fa-f]{2})*$")
	plainControl    = regexp.MustCompile(`%([01][0-9A-Fa-f]|7[fF])`)
	plainUnreserved = regexp.MustCompile(`[A-Za-z0-9._~-]`)
	plainSlashes    = regexp.MustCompile(`/+`)
	plainTriplet    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	plainExcluded   = regexp.MustCompile("[|^`{}\\[\\]]")
	plainRegName    = regexp.MustCompile(`^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[89A-Fa-f][0-9A-Fa-f])+$`)
	plainFuture     = regexp.MustCompile(`^[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+$`)
	plainIPv6       = regexp.MustCompile(`^[0-9A-Fa-f:.]+$`)
	plainDigits     = regexp.MustCompile(`^[0-9]*$`)
)

// laxDecoder undoes every encoding of an ASCII character, overlong ones too, in one pass, and takes a backslash for a slash.
var laxDecoder = func() *strings.Replacer {
	var pairs []string
	for c := range 128 {
		text := string(rune(c))
		if text == `\` {
			text = "/"
		}
		low, high := 0x80|c&0x3F, 0x80|c>>6
		pairs = append(pairs, fmt.Sprintf("%%%02X", c), text, fmt.Sprintf("%%%02X%%%02X", 0xC0|c>>6, low), text,
			fmt.Sprintf("%%E0%%%02X%%%02X", high, low), text, fmt.Sprintf("%%F0%%80%%%02X%%%02X", high, low), text)
	}
	return strings.NewReplacer(pairs...)
}()

func plainNormalize(path string) (string, bool) {
	if !plainPath.MatchString(path) || plainControl.MatchString(path) {
		return "", false
	}
	path = plainTriplet.ReplaceAllStringFunc(path, func(s string) string {
		c, _ := strconv.ParseUint(s[1:], 16, 8)
		if c < 0x80 && plainUnreserved.MatchString(string(rune(c))) {
			return string(rune(c))
		}
		return strings.ToUpper(s)
	})
	path = plainExcluded.ReplaceAllStringFunc(path, func(s string) string { return fmt.Sprintf("%%%02X", s[0]) })
	for _, segment := range strings.Split(path, "/") {
		if segment == "." || segment == ".." {
			continue
		}
		for _, piece := range strings.Split(laxDecoder.Replace(segment), "/") {
			if i := strings.IndexAny(piece, ";?#"); i >= 0 {
				piece = piece[:i]
			}
			if piece == "." || piece == ".." {
				return "", false
			}
		}
	}
	return removeDotSegments(path), true
}

// removeDotSegments is RFC 3986, section 5.2.4, step by step.
func removeDotSegments(in string) (out string) {
	for in != "" {
		switch {
		case strings.HasPrefix(in, "../"):
			in = in[3:]
		case strings.HasPrefix(in, "./"), strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			in = "/" + strings.TrimPrefix(in[3:], "/")
			out = out[:max(0, strings.LastIndexByte(out, '/'))]
		case in == ".", in == "..":
			in = ""
		default:
			end := strings.IndexByte(in[1:], '/') + 1
			if end == 0 {
				end = len(in)
			}
			out, in = out+in[:end], in[end:]
		}
	}
	return out
}

func plainHost(s string) bool {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
	}
	if n, err := strconv.ParseUint("0"+port, 10, 64); err != nil || n > 65535 || !plainDigits.MatchString(port) {
		return false
	}
	if inner, found := strings.CutPrefix(host, "["); found && strings.HasSuffix(inner, "]") {
		inner = strings.TrimSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return plainFuture.MatchString(inner) || plainIPv6.MatchString(inner) && err == nil && a.Is6()
	}
	return plainRegName.MatchString(host)
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"/", "/a/./b/../c", "/%2e%2E/a%2f", "/..;/", "//a//", "/a|[b]", "/%C0%AE./", "/a%2F..%5C", "/%00", "/%zz", "/a/..//b", "/.well-known", "/%E0%80%AE%F0%80%80%AE"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		before := bytes.Clone(path)
		got, err := Normalize(make([]byte, 0, 8), path)
		want, ok := plainNormalize(string(path))
		if ok != (err == nil) || ok && string(got) != want {
			t.Fatalf("%q: got %q, %v; the plain twin %q, %v", path, got, err, want, ok)
		}
		if !bytes.Equal(path, before) {
			t.Fatalf("%q was changed to %q", before, path)
		}
		if err != nil {
			return
		}
		again, err := Normalize(nil, got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q: not idempotent: %q, then %q, %v", path, got, again, err)
		}
		merged := MergeSlashes(nil, got)
		if want := plainSlashes.ReplaceAllString(string(got), "/"); string(merged) != want {
			t.Fatalf("%q: merged to %q", got, merged)
		}
		if again, err := Normalize(nil, merged); err != nil || !bytes.Equal(again, merged) {
			t.Fatalf("%q: merged to %q, which is not normal", got, merged)
		}
	})
}

func FuzzCheckHost(f *testing.F) {
	for _, s := range []string{"a.example:80", "[::1]:443", "[1:2:3:4:5:6:1.2.3.4]", "[v1.x]", "u@h", "a:65536", "%C3%BC", "%41", "[1::2::3]", "[::1%1]", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		host, port, ok := CheckHost(in)
		if want := plainHost(string(in)); ok != want {
			t.Fatalf("%q: got %v, the plain twin %v", in, ok, want)
		}
		if ok && string(host) != string(in) && string(host)+":"+string(port) != string(in) {
			t.Fatalf("%q: taken apart as %q, %q", in, host, port)
		}
	})
}

var (
	plainOrigin   = regexp.MustCompile("^(/[^\\x00-\\x20\\x7f-\\x{10ffff}\"#<>\\\\?]*)(\\?[^\\x00-\\x20\\x7f-\\x{10ffff}\"#<>]*)?$")
	plainAbsolute = regexp.MustCompile(`^(?i:(https?))://([^/?]*)(.*)$`)
)

// plainParse returns scheme, authority, path and query, the query with its "?".
func plainParse(method, in string) (parts [4]string, ok bool) {
	if method == "CONNECT" {
		i := strings.LastIndexByte(in, ':')
		return [4]string{1: in}, i >= 0 && i+1 < len(in) && plainHost(in) && in[len(in)-1] != ']'
	}
	if in == "*" {
		return [4]string{2: in}, method == "OPTIONS"
	}
	if m := plainAbsolute.FindStringSubmatch(in); m != nil {
		if !plainHost(m[2]) {
			return parts, false
		}
		parts[0], parts[1], in = strings.ToLower(m[1]), m[2], m[3]
		if in == "" && method == "OPTIONS" {
			parts[2] = "*"
			return parts, true
		}
		if !strings.HasPrefix(in, "/") {
			in = "/" + in
		}
	}
	m := plainOrigin.FindStringSubmatch(in)
	if m == nil {
		return parts, false
	}
	parts[2], parts[3] = m[1], m[2]
	return parts, true
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/", "/a?b", "*", "http://a.example/x?y", "HTTPS://[::1]:1?q", "a.example:443", "/a#b", "/\x80", "http://u@h/", "http:///", "/?"} {
		for _, method := range []string{"GET", "OPTIONS", "CONNECT"} {
			f.Add(method, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, method string, in []byte) {
		got, err := Parse(method, in)
		want, ok := plainParse(method, string(in))
		if ok != (err == nil) {
			t.Fatalf("%s %q: got %+v, %v; the plain twin %q, %v", method, in, got, err, want, ok)
		}
		if !ok {
			return
		}
		query := ""
		if got.HasQuery {
			query = "?" + string(got.Query)
		}
		if parts := [4]string{got.Scheme, string(got.Authority), string(got.Path), query}; parts != want {
			t.Fatalf("%s %q: got %q, the plain twin %q", method, in, parts, want)
		}
	})
}
