package h1

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

// readChunks feeds a body to a decoder in pieces that end at the given offsets. It returns the content, the trailers as text, and how many bytes were taken.
func readChunks(c *Chunks, in string, repair bool, ends ...int) (content, trailers string, n int, done bool, err *SyntaxError) {
	lim := DefaultLimits()
	return readChunksWithin(&lim, c, in, repair, ends...)
}

func readChunksWithin(lim *Limits, c *Chunks, in string, repair bool, ends ...int) (content, trailers string, n int, done bool, err *SyntaxError) {
	var f exchange.Fields
	c.Reset(lim, &f, repair)
	for _, end := range append(ends, len(in)) {
		piece := []byte(in[n:end]) // memory of its own: nothing may point into it later
		for !done && err == nil {
			var data []byte
			var k int
			data, k, done, err = c.Next(piece)
			content += string(data)
			n += k
			if len(data) > 0 && !bytes.HasSuffix(piece[:k], data) {
				panic("data is not the end of what was taken")
			}
			if piece = piece[k:]; len(data) == 0 {
				break
			}
		}
		for i := range piece {
			piece[i] = 0xDB
		}
		if done || err != nil {
			break
		}
	}
	for _, l := range f.Lines() {
		trailers += fmt.Sprintf("%s=%s;", l.Name, l.Value)
	}
	return content, trailers, n, done, err
}

// TestReadsChunkedBodies covers RFC 9112, section 7.1. Each body is followed by something that is not part of it.
func TestReadsChunkedBodies(t *testing.T) {
	for _, test := range [][3]string{
		{"0\r\n\r\n", "", ""},
		{"000\r\n\r\n", "", ""},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", ""},
		{"1\r\na\r\n0000000000000002\r\nbc\r\n0\r\n\r\n", "abc", ""},
		{"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", ""},
		{"2\r\n\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n", ""},
		// RFC 9112, section 7.1.1: extensions, with the bad white space that recipients must take (RFC 9110, section 5.6.3).
		{"2;a\r\nxy\r\n0;b\r\n\r\n", "xy", ""},
		{"2;a=b;c=\"d;\\\"\té\xff\";e\r\nxy\r\n0\r\n\r\n", "xy", ""},
		{"2 ;\ta = b ; c\t=\"\" ; d \t;e\r\nxy\r\n0\t;a\r\n\r\n", "xy", ""},
		{"2;a=\"\\\\\";b\r\nxy\r\n0\r\n\r\n", "xy", ""},
		// RFC 9112, section 7.1.2: trailers.
		{"1\r\na\r\n0\r\nX: b\r\nchecksum:\t12 \r\n\r\n", "a", "X=b;checksum=12;"},
		{"0\r\nEmpty:\r\n\r\n", "", "Empty=;"},
		{"0\r\nETag: \"x\"\r\nServer-Timing: db;dur=1\r\n\r\n", "", "ETag=\"x\";Server-Timing=db;dur=1;"},
		// RFC 9110, section 6.5.1: what may not be a trailer is left out.
		{"0\r\nAuthorization: x\r\nX: y\r\nCookie: z\r\nConnection: close\r\nTrailer: X\r\nX-Forwarded-For: ::1\r\n\r\n", "", "X=y;"},
	} {
		var c Chunks
		in := test[0]
		for _, more := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\r\n", "0"} {
			for split := range len(in) + 1 {
				content, trailers, n, done, err := readChunks(&c, in+more, false, split)
				if content != test[1] || trailers != test[2] || n != len(in) || !done || err != nil {
					t.Fatalf("%q split at %d: %q, %q, n = %d, %v, %v", in+more, split, content, trailers, n, done, err)
				}
			}
			every := make([]int, len(in+more))
			for i := range every {
				every[i] = i + 1
			}
			if content, trailers, n, done, err := readChunks(&c, in+more, false, every...); content != test[1] || trailers != test[2] || n != len(in) || !done || err != nil {
				t.Fatalf("%q byte by byte: %q, %q, n = %d, %v, %v", in+more, content, trailers, n, done, err)
			}
		}
		for end := range len(in) {
			if _, _, n, done, err := readChunks(&c, in[:end], false); n != end || done || err != nil {
				t.Fatalf("%q: n = %d, %v, %v", in[:end], n, done, err)
			}
		}
	}
}

// TestRefusesBrokenChunks covers RFC 9112, section 7.1: size, extensions and ends to the letter.
func TestRefusesBrokenChunks(t *testing.T) {
	for _, in := range []string{
		"\r\n", "\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n", "\t5\r\nhello\r\n", "5\t\r\nhello\r\n", "+5\r\nhello\r\n", "-5\r\nhello\r\n", "0x5\r\nhello\r\n", "5h\r\nhello\r\n", "g\r\n", "5,5\r\n", "5.\r\n", "5_0\r\n",
		"\"5\"\r\n", "5\nhello\r\n", "5\rhello\r\n", "5\r\rhello", "5\x00\r\n", "5 5\r\n", "5\x0b\r\n", "5\x80\r\n", "-0\r\n\r\n", "0 \r\n\r\n", "0\n\n", "5=\r\n", "5:\r\n",
		"8000000000000000\r\n", "ffffffffffffffff\r\n", "FFFFFFFFFFFFFFFFF\r\n", "00000000000000005\r\nhello\r\n", "10000000000000005\r\nhello", "7fffffffffffffffff\r\n",
		"5;\r\nhello\r\n", "5; \r\nhello\r\n", "5;;a\r\n", "5;a;\r\n", "5;=b\r\n", "5;a=\r\n", "5;a= \r\n", "5;a b\r\n", "5;a \r\n", "5;a=b \r\n", "5;a=b c\r\n", "5;a=\"b\r\n", "5;a=\"b\"c\r\n", "5;a=\"b\" \r\n", "5;a\n",
		"5;a=b\nX\r\n", "5;a=\"\x00\"\r\n", "5;a=\"\\\x7f\"\r\n", "5;a=\"\\\r\n", "5;a\r\r\n", "5;a\rb\r\n", "5;\x00\r\n", "5;a[\r\n", "5;\xe9\r\n", "5;a=\xe9\r\n", "5;a\"b\"\r\n", "5;a==b\r\n", "5;a\n\r\n", "5;\n",
		"5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhello\r\r\n", "5\r\nhello world\r\n0\r\n\r\n", "5\r\nhello \r\n", "5\r\nhello\n\r\n",
		"0\r\n\n", "0\r\nX: a\n\r\n", "0\r\nX: a\r\n\n", "0\r\nX : a\r\n\r\n", "0\r\n X: a\r\n\r\n", "0\r\nX: a\r\n b\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\n: a\r\n\r\n", "0\r\nX: \x00\r\n\r\n", "0\r\n\rX\r\n\r\n",
		"0\r\nGET / HTTP/1.1\r\n\r\n", "0\r\nX: a\rY: b\r\n\r\n", "0\r\n\r\r\n\r\n", "0\r\nX: a\r\n\rY\r\n\r\n",
		// RFC 9110, section 6.5.1, and RFC 9112, section 7.1.2: nothing about framing or routing comes after the content.
		"0\r\nContent-Length: 5\r\n\r\n", "0\r\ntransfer-encoding: chunked\r\n\r\n", "0\r\nX: y\r\nHost: b\r\n\r\n",
	} {
		var c Chunks
		content, _, _, done, err := readChunks(&c, in, false)
		if err == nil || err.Status != 400 || done {
			t.Errorf("%q: taken as %q (%v)", in, content, err)
			continue
		}
		for split := range len(in) + 1 {
			if again, _, _, done, err := readChunks(&c, in, false, split); err == nil || done || again != content {
				t.Errorf("%q split at %d: %q, %v, %v", in, split, again, done, err)
			}
		}
	}
}

func TestChunkSizesUpToTheLargest(t *testing.T) {
	var c Chunks
	lim := DefaultLimits()
	c.Reset(&lim, new(exchange.Fields), false)
	if data, n, _, err := c.Next([]byte("7fffffffffffffff\r\nab")); err != nil || string(data) != "ab" || n != 20 {
		t.Errorf("%q, %d, %v", data, n, err)
	}
}

// TestChunkExtensionsAreBounded covers RFC 9112, section 7.1.1: a recipient limits their length, in proportion to the data.
func TestChunkExtensionsAreBounded(t *testing.T) {
	lim := DefaultLimits()
	lim.ExtensionBytes = 100
	var c Chunks
	chunk := "1;" + strings.Repeat("a", 49) + "\r\nx\r\n" // 50 bytes of extension with the CR, 1 of data
	if _, _, _, done, err := readChunksWithin(&lim, &c, chunk+chunk+"0\r\n\r\n", false); !done || err != nil {
		t.Errorf("just within the limit: %v", err)
	}
	if _, _, _, _, err := readChunksWithin(&lim, &c, chunk+chunk+chunk+"0\r\n\r\n", false); err != errChunkExtBytes {
		t.Errorf("beyond the limit: %v", err)
	}
	chunk = "32;" + strings.Repeat("a", 49) + "\r\n" + strings.Repeat("x", 50) + "\r\n"
	if _, _, _, done, err := readChunksWithin(&lim, &c, strings.Repeat(chunk, 100)+"0\r\n\r\n", false); !done || err != nil {
		t.Errorf("as many bytes of extensions as of data: %v", err)
	}
}

func TestTrailerSectionIsBounded(t *testing.T) {
	lim := DefaultLimits()
	lim.TrailerBytes = 40
	fit := "0\r\nX: " + strings.Repeat("a", 33) + "\r\n\r\n"
	var c Chunks
	for split := range len(fit) + 1 {
		if _, _, n, done, err := readChunksWithin(&lim, &c, fit+"0\r\n\r\n", false, split); !done || err != nil || n != len(fit) {
			t.Errorf("just within the limit: %d, %v", n, err)
		}
		if _, _, _, done, err := readChunksWithin(&lim, &c, fit[:len(fit)-4]+"b\r\n\r\n", false, split); done || err == nil || err.Status != 431 {
			t.Errorf("beyond the limit: %v", err)
		}
	}
	lim = DefaultLimits()
	if _, _, _, _, err := readChunks(&c, "0\r\n"+strings.Repeat("X: y\r\n", lim.Fields+1)+"\r\n", false); err != errFields {
		t.Errorf("too many: %v", err)
	}
	readChunks(&c, "0\r\nX: "+strings.Repeat("y", sectionKeptBytes)+"\r\n\r\n", false)
	if c.Reset(&lim, nil, false); cap(c.section) != 0 {
		t.Error("Reset keeps a large buffer")
	}
}

// TestRepairsTrailersOfResponses covers RFC 9112, sections 5.1 and 5.2.
func TestRepairsTrailersOfResponses(t *testing.T) {
	in := "1\r\na\r\n0\r\nX : b\r\n c\r\nY: d\r\n\r\n"
	var c Chunks
	for split := range len(in) + 1 {
		if _, trailers, _, done, err := readChunks(&c, in, true, split); trailers != "X=b   c;Y=d;" || !done || err != nil {
			t.Fatalf("split at %d: %q, %v", split, trailers, err)
		}
	}
}

func TestNothingIsReadBehindTheEnd(t *testing.T) {
	var c Chunks
	readChunks(&c, "0\r\n\r\n", false)
	if data, n, done, err := c.Next([]byte("5\r\n")); len(data) > 0 || n != 0 || !done || err != nil {
		t.Errorf("%q, %d, %v, %v", data, n, done, err)
	}
}
