// Package query reads and writes the parameters of a query as origins do (application/x-www-form-urlencoded: "a=1&b=x+y"; URL standard, section 5).
//
// Routes match parameters, templates take values from them and rewrites change them; all three must see what an origin sees, whatever the spelling.
// A query that is not of that form is one odd parameter, and never an error: what is not changed is forwarded as it came.
// Nothing here allocates but the functions that append, when there is no room.
package query

import "bytes"

// Next splits the first parameter off q; rest is what follows its "&".
func Next(q []byte) (p Param, rest []byte) {
	if i := bytes.IndexByte(q, '&'); i >= 0 {
		p.Raw, rest = q[:i], q[i+1:]
	} else {
		p.Raw = q
	}
	p.Name = p.Raw
	if i := bytes.IndexByte(p.Raw, '='); i >= 0 {
		p.Name, p.Value = p.Raw[:i], p.Raw[i+1:]
	}
	return p, rest
}

// A Param is one parameter as written, in the memory of the query.
type Param struct {
	Raw         []byte // "a=1"
	Name, Value []byte // still encoded; Value is empty if there is no "="
}

// Is reports whether written means text once it is decoded.
func Is(written []byte, text string) bool {
	for len(written) > 0 {
		c, n := first(written)
		if text == "" || text[0] != c {
			return false
		}
		written, text = written[n:], text[1:]
	}
	return text == ""
}

// IsPlain reports whether written means itself.
func IsPlain(written []byte) bool {
	return bytes.IndexByte(written, '%') < 0 && bytes.IndexByte(written, '+') < 0
}

// AppendDecoded appends what written means.
func AppendDecoded(dst, written []byte) []byte {
	for len(written) > 0 {
		c, n := first(written)
		dst = append(dst, c)
		written = written[n:]
	}
	return dst
}

// first returns the first byte that b means and how many bytes it is written in. A "%" without two hexadecimal digits means itself.
func first(b []byte) (c byte, n int) {
	switch {
	case b[0] == '+':
		return ' ', 1
	case b[0] == '%' && len(b) > 2:
		high, low := digit(b[1]), digit(b[2])
		if high|low < 16 {
			return high<<4 | low, 3
		}
	}
	return b[0], 1
}

// digit returns the value of a hexadecimal digit, 255 for another byte.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

const upperHex = "0123456789ABCDEF"

// AppendEncoded appends text so that every reader of URIs finds it again, in a query, in a segment of a path or in a fragment: all but unreserved
// characters are percent-encoded (RFC 3986, section 2.3), a space as "%20".
func AppendEncoded[T []byte | string](dst []byte, text T) []byte {
	for i := range len(text) {
		if c := text[i]; isUnreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
