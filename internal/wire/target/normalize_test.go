package target

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestNormalizeFindsTheOneSpelling(t *testing.T) {
	for _, test := range [][2]string{
		{"/", "/"}, {"/a/b", "/a/b"}, {"/a/b/", "/a/b/"}, {"/a.b/c.", "/a.b/c."},
		// RFC 3986, section 5.2.4: dot segments.
		{"/.", "/"}, {"/./", "/"}, {"/a/.", "/a/"}, {"/a/./b", "/a/b"}, {"/a/..", "/"}, {"/a/../", "/"}, {"/a/b/..", "/a/"}, {"/a/b/../c", "/a/c"},
		{"/a/b/c/./../../g", "/a/g"}, {"/a/../b/../c", "/c"}, {"/a/b/./", "/a/b/"},
		// The same with encoded dots.
		{"/%2e", "/"}, {"/a/%2e%2e/b", "/b"}, {"/a/.%2e/b", "/b"}, {"/a/%2E./b", "/b"}, {"/a/%2e/b", "/a/b"}, {"/a/b/%2e%2e", "/a/"},
		// Above the root there is nothing.
		{"/..", "/"}, {"/../", "/"}, {"/../a", "/a"}, {"/../../a/..", "/"}, {"/a/../../b", "/b"}, {"/%2e%2e/%2e%2e/etc", "/etc"},
		// What only looks like dot segments (section 5.4.2).
		{"/...", "/..."}, {"/.a/..b/c../d.", "/.a/..b/c../d."}, {"/.well-known/x", "/.well-known/x"}, {"/..a", "/..a"}, {"/a..", "/a.."},
		// Doubled slashes stay; an empty segment is a segment.
		{"//", "//"}, {"//a//b//", "//a//b//"}, {"/a//../b", "/a/b"}, {"/a/..//b", "//b"}, {"//..", "/"}, {"//../a", "/a"}, {"/a//.", "/a//"},
		// RFC 3986, section 6.2.2: one spelling for each byte.
		{"/%61%7e%5F%2D", "/a~_-"}, {"/%c3%bc", "/%C3%BC"}, {"/a%2fb", "/a%2Fb"}, {"/%5c", "/%5C"}, {"/%25", "/%25"}, {"/%20", "/%20"}, {"/%3b%3F%23", "/%3B%3F%23"},
		{"/%252e%252e/", "/%252e%252e/"}, {"/%25%32%65", "/%252e"}, {"/%25252e", "/%25252e"}, {"/%80%ff", "/%80%FF"}, {"/%21%40", "/%21%40"},
		// Bytes that are not for URIs but that user agents send.
		{"/a|b", "/a%7Cb"}, {"/[1]", "/%5B1%5D"}, {"/{a}^`", "/%7Ba%7D%5E%60"},
		{"/a;b=c/d;e", "/a;b=c/d;e"}, {"/a;..", "/a;.."}, {"/;/a", "/;/a"}, {"/a%2Fb%2F", "/a%2Fb%2F"}, {"/a%2F...%2Fb", "/a%2F...%2Fb"}, {"/..a%2Fb..", "/..a%2Fb.."}, {"/%2F", "/%2F"},
		{"/.a;b", "/.a;b"}, {"/....;", "/....;"},
		// The same bytes as overlong UTF-8 are text in other encodings.
		{"/%C0%AF%C0%AF", "/%C0%AF%C0%AF"}, {"/a%C0%AEb", "/a%C0%AEb"}, {"/%C0", "/%C0"}, {"/%C0%2E", "/%C0."}, {"/%E0%80", "/%E0%80"}, {"/%F0%80%80", "/%F0%80%80"},
		{"/%E0%82%AE", "/%E0%82%AE"}, {"/%C2%AE%C2%AE", "/%C2%AE%C2%AE"},
	} {
		got, err := Normalize(nil, []byte(test[0]))
		if err != nil || string(got) != test[1] {
			t.Errorf("%s: got %s, %v, want %s", test[0], got, err, test[1])
		}
	}
}

// TestRefusesPathsThatHideDotSegments lists spellings that some origin has resolved as a dot segment.
func TestRefusesPathsThatHideDotSegments(t *testing.T) {
	for _, in := range []string{
		"/..%2f", "/a/..%2fb", "/a/..%2Fb", "/a%2f..", "/a%2F../b", "/a/%2e%2e%2fb", "/a/%2e%2e%5cb", "/a/..%5c", "/a%5c..%5cb", "/%2f..%2f", "/%2F..", "/x%2F%2E%2E",
		"/..;/x", "/..;", "/..;a=b/", "/%2e%2e;/", "/.%2e;x", "/a/..;/b", "/.;/admin", "/.;", "/..%3b/x", "/..%3Bx", "/..%3F", "/..%23a", "/a;x%2F..", "/a;x%2f..;y",
		"/.%2fa", "/a%2F.", "/a%2f./b", "/a%5C.%5Cb",
		"/%C0%AE%C0%AE/", "/.%c0%ae", "/%c0%2e%c0%ae%c0%ae%2f..", "/%E0%80%AE%E0%80%AE", "/%F0%80%80%AE.", "/..%C0%AF", "/a%c1%9c..", "/a%E0%80%AF..", "/..%C0%BB", "/%C0%AE",
	} {
		if got, err := Normalize(nil, []byte(in)); !errors.Is(err, errPathHidden) {
			t.Errorf("%s: got %s, %v", in, got, err)
		}
	}
}

func TestRefusesInvalidPaths(t *testing.T) {
	for _, test := range []struct {
		in   string
		want error
	}{
		{"", errPathStart}, {"a", errPathStart}, {"*", errPathStart}, {"%2Fa", errPathStart}, {"?", errPathStart}, {".", errPathStart},
		{"/%", errPathTriplet}, {"/%2", errPathTriplet}, {"/%g0", errPathTriplet}, {"/%0g", errPathTriplet}, {"/%u002e", errPathTriplet}, {"/%/41", errPathTriplet},
		{"/%%34%31", errPathTriplet}, {"/% 41", errPathTriplet}, {"/a%", errPathTriplet}, {"/%2%35", errPathTriplet}, {"/%2/e", errPathTriplet},
		{"/%00", errPathControl}, {"/a%00.html", errPathControl}, {"/%0d%0aX", errPathControl}, {"/%09", errPathControl}, {"/%1F", errPathControl}, {"/%7f", errPathControl},
		{"/a b", errPathByte}, {"/a\x00", errPathByte}, {"/a\r", errPathByte}, {"/\x7f", errPathByte}, {"/a#b", errPathByte}, {"/a?b", errPathByte}, {`/a\b`, errPathByte},
		{`/..\a`, errPathByte}, {`/"`, errPathByte}, {"/<", errPathByte}, {"/>", errPathByte}, {"/\x80", errPathByte}, {"/ü", errPathByte}, {"/\xc0\xae", errPathByte},
	} {
		if got, err := Normalize(nil, []byte(test.in)); !errors.Is(err, test.want) {
			t.Errorf("%q: got %q, %v, want %v", test.in, got, err, test.want)
		}
	}
}

func TestNormalizeReturnsANormalPathItself(t *testing.T) {
	for _, in := range []string{"/", "/a/b.c", "//a", "/%20a%2F", "/.well-known/acme", "/a;b=c", "/%C3%BC"} {
		path := []byte(in)
		if got, err := Normalize(nil, path); err != nil || &got[0] != &path[0] {
			t.Errorf("%s: copied", in)
		}
	}
}

func TestNormalizeWritesIntoTheRoomGiven(t *testing.T) {
	room := make([]byte, 5, 64)
	got, err := Normalize(room, []byte("/a/../b"))
	if err != nil || string(got) != "/b" || &got[0] != &room[0] {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err = Normalize(make([]byte, 0, 2), []byte("/||||||||")); err != nil || string(got) != "/"+strings.Repeat("%7C", 8) {
		t.Errorf("in too small a room: got %q, %v", got, err)
	}
}

func TestEveryByteOfAPathHasOneSpelling(t *testing.T) {
	for c := range 256 {
		raw, rawErr := Normalize(nil, []byte{'/', 'x', byte(c), 'x'})
		lower, lowerErr := Normalize(nil, fmt.Appendf(nil, "/x%%%02xx", c))
		upper, upperErr := Normalize(nil, fmt.Appendf(nil, "/x%%%02Xx", c))
		if !errors.Is(lowerErr, upperErr) || !bytes.Equal(lower, upper) {
			t.Errorf("byte %#x: hexadecimal digits of either case differ: %q, %q", c, lower, upper)
		}
		if control := c < 0x20 || c == 0x7F; control != (upperErr != nil) {
			t.Errorf("byte %#x, encoded: %v", c, upperErr)
		}
		reserved := strings.IndexByte("!$&'()*+,;=:@/", byte(c)) >= 0 // it means another thing raw than encoded
		if rawErr == nil && !reserved && byte(c) != '%' && !bytes.Equal(raw, upper) {
			t.Errorf("byte %#x: raw %q, encoded %q", c, raw, upper)
		}
	}
}

func TestMergeSlashesLeavesOneOfEach(t *testing.T) {
	for _, test := range [][2]string{{"/", "/"}, {"/a/b/", "/a/b/"}, {"//", "/"}, {"///a", "/a"}, {"/a//b///c//", "/a/b/c/"}, {"/a%2F/b", "/a%2F/b"}, {"/a/b//", "/a/b/"}} {
		if got := MergeSlashes(nil, []byte(test[0])); string(got) != test[1] {
			t.Errorf("%s: got %s", test[0], got)
		}
	}
	in := []byte("/a/b")
	if got := MergeSlashes(nil, in); &got[0] != &in[0] {
		t.Error("copied without need")
	}
}

func TestTargetsCostNoAllocation(t *testing.T) {
	room, other := make([]byte, 0, 256), make([]byte, 0, 256)
	target := []byte("http://[2001:db8::1]:80/a/./%7eb//c%2fd|e?q=1")
	if n := testing.AllocsPerRun(100, func() {
		parsed, err := Parse("GET", target)
		if err != nil {
			t.Fatal(err)
		}
		normal, err := Normalize(room, parsed.Path)
		if err != nil {
			t.Fatal(err)
		}
		if merged := MergeSlashes(other, normal); len(merged) == 0 {
			t.Fatal("no path")
		}
		if _, err := Normalize(room, []byte("/..;/")); err == nil {
			t.Fatal("taken")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
