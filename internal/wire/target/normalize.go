package target

import (
	"bytes"
	"errors"
)

// Faults of a path, all answered by 400.
var (
	errPathStart   = errors.New(`the path does not begin with "/"`)
	errPathByte    = errors.New("the path has a byte that a URI may not have")
	errPathTriplet = errors.New("the path has a percent sign without two hexadecimal digits")
	errPathControl = errors.New("the path has a percent-encoded control character")
	errPathHidden  = errors.New(`the path hides a "." or ".." segment`)
)

// Normalize returns the normal form of a path (RFC 3986, section 6.2.2): path itself if it is normal already, else bytes written into room from its
// start (a larger one is allocated if it is too small; len(path) is nearly always enough).
//
// In normal form dot segments are removed (section 5.2.4), a percent-encoding stands only where it must and has upper-case digits, and bytes that a path
// may not carry raw are encoded. "%2F" is data and no separator; doubled slashes stay. ".." above the root is dropped as section 5.2.4 says: its result
// is the only path that is matched and forwarded, so nothing is gained by it, and a refusal would hit a valid URI.
//
// Refused is what an origin could read otherwise than we do: percent signs without two digits, control characters raw or encoded, and segments in which
// a reader that decodes "%2F", "%5C" or overlong UTF-8, or cuts parameters off at ";", finds "." or "..".
//
// Normalize is idempotent. BenchmarkNormalize.
func Normalize(room, path []byte) ([]byte, error) {
	if len(path) == 0 || path[0] != '/' {
		return nil, errPathStart
	}
	for i, c := range path {
		// Only a segment that begins with a dot, or that has an encoding, can change or be refused.
		if plain[c] || c == '.' && path[i-1] != '/' {
			continue
		}
		normal, err := normalize(room[:0], path)
		if err != nil || !bytes.Equal(normal, path) {
			return normal, err
		}
		break
	}
	return path, nil
}

// plain has the bytes that stand for themselves in a normal path wherever they are.
var plain = fillPlain()

func fillPlain() (t [256]bool) {
	for c := range t {
		t[c] = classes[c]&pchar != 0 && c != '.' || c == '/'
	}
	return t
}

// normalize writes the normal form of path to dst, segment by segment.
func normalize(dst, path []byte) ([]byte, error) {
	for len(path) > 0 {
		start := len(dst)
		segment, rest := path[1:], []byte(nil)
		if i := bytes.IndexByte(segment, '/'); i >= 0 {
			segment, rest = segment[:i], segment[i:]
		}
		path = rest
		var suspect bool
		var err error
		if dst, suspect, err = appendSegment(append(dst, '/'), segment); err != nil {
			return nil, err
		}
		switch dots := dst[start+1:]; {
		case len(dots) == 0:
			continue
		case string(dots) == ".":
			dst = dst[:start]
		case string(dots) == "..":
			dst = dst[:max(0, bytes.LastIndexByte(dst[:start], '/'))]
		case (suspect || dots[0] == '.') && hidesDots(dots):
			return nil, errPathHidden
		default:
			continue
		}
		if len(path) == 0 {
			dst = append(dst, '/') // "/a/." and "/b/.." name a directory
		}
	}
	return dst, nil
}

const upperHex = "0123456789ABCDEF"

// appendSegment appends a segment with every byte in its one spelling. suspect is true if something in it may hide a dot segment.
func appendSegment(dst, segment []byte) (_ []byte, suspect bool, err error) {
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if classes[c]&pchar != 0 {
			dst = append(dst, c)
			continue
		}
		if c == '%' {
			v, ok := triplet(segment[i:])
			if !ok {
				return nil, false, errPathTriplet
			}
			if v < 0x20 || v == 0x7F {
				return nil, false, errPathControl
			}
			i += 2
			if c = v; classes[c]&unreserved != 0 {
				dst = append(dst, c)
				continue
			}
			suspect = suspect || classes[c]&lax != 0
		} else if classes[c]&inPath == 0 {
			return nil, false, errPathByte
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst, suspect, nil
}

// hidesDots reports whether the laxest reader of a segment in normal form would find a dot segment in it. Such a reader decodes before it splits, takes
// a backslash for a slash and overlong UTF-8 for ASCII, and ends a segment at a parameter.
func hidesDots(segment []byte) bool {
	dots, others, ended := 0, 0, false
	for len(segment) > 0 {
		c, n := laxByte(segment)
		segment = segment[n:]
		switch {
		case c == '/' || c == '\\':
			if others == 0 && (dots == 1 || dots == 2) {
				return true
			}
			dots, others, ended = 0, 0, false
		case c == ';' || c == '?' || c == '#':
			ended = true
		case ended:
		case c == '.':
			dots++
		default:
			others++
		}
	}
	return others == 0 && (dots == 1 || dots == 2)
}

// laxByte returns the first byte of b as the laxest reader would decode it, and how many bytes of b that takes.
func laxByte(b []byte) (c byte, n int) {
	if b[0] != '%' {
		return b[0], 1
	}
	c, _ = triplet(b) // in normal form it is one
	// How many continuation bytes an overlong encoding of ASCII has (RFC 3629, section 3, says that they are invalid). They can't be refused outright:
	// in other character encodings the same bytes are text.
	more := 0
	switch c {
	case 0xC0, 0xC1:
		more = 1
	case 0xE0:
		more = 2
	case 0xF0:
		more = 3
	}
	value, rest := rune(c&1), b[3:]
	for range more {
		v, ok := triplet(rest)
		if !ok || v&0xC0 != 0x80 {
			return c, 3
		}
		value, rest = value<<6|rune(v&0x3F), rest[3:]
	}
	if more > 0 && value < 0x80 {
		return byte(value), 3 * (more + 1)
	}
	return c, 3
}

// MergeSlashes returns a normal path with each run of slashes as one: normal itself if there is none, else bytes written into room from its start.
// It is what routes match, because many origins merge slashes too.
func MergeSlashes(room, normal []byte) []byte {
	i := bytes.Index(normal, []byte("//"))
	if i < 0 {
		return normal
	}
	merged := append(room[:0], normal[:i+1]...)
	for _, c := range normal[i+1:] {
		if c != '/' || merged[len(merged)-1] != '/' {
			merged = append(merged, c)
		}
	}
	return merged
}
