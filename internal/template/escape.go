package template

import "bytes"

const upperHex = "0123456789ABCDEF"

// escapeTail writes what follows start in dst as e says, in place.
func escapeTail(dst []byte, start int, e escape) []byte {
	switch e {
	case cleaned:
		return cleanTail(dst, start)
	case encoded:
		return encodeTail(dst, start)
	case wholePath:
		if start == len(dst) || dst[start] != '/' { // "*", of OPTIONS
			dst = append(dst[:start], '/')
		}
	case lastQuery:
		if n := len(dst); start == n && n > 0 && (dst[n-1] == '?' || dst[n-1] == '&') {
			return dst[:n-1]
		}
	}
	return dst
}

// cleanTail drops control characters: they would end a field line, or be refused by whoever reads it (RFC 9110, section 5.5).
func cleanTail(dst []byte, start int) []byte {
	kept := dst[:start]
	for _, c := range dst[start:] {
		if !isControl(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7F }

// encodeTail percent-encodes all but unreserved characters (RFC 3986, section 2.3), from the end on, so that it needs no second memory.
func encodeTail(dst []byte, start int) []byte {
	from := len(dst)
	for _, c := range dst[start:from] {
		if !isUnreserved(c) {
			dst = append(dst, 0, 0)
		}
	}
	to := len(dst)
	for from > start {
		from--
		if c := dst[from]; isUnreserved(c) {
			to--
			dst[to] = c
		} else {
			to -= 3
			dst[to], dst[to+1], dst[to+2] = '%', upperHex[c>>4], upperHex[c&15]
		}
	}
	return dst
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// mergeRoot leaves one of the slashes with which the text from start on begins. A backslash counts: browsers take it for a slash (URL standard, 4.4).
func mergeRoot(dst []byte, start int) []byte {
	end := start + 1
	for end < len(dst) && (dst[end] == '/' || dst[end] == '\\') {
		end++
	}
	if end > start+1 {
		dst = append(dst[:start+1], dst[end:]...)
	}
	return dst
}

// trimTail drops white space at both ends of what follows start.
func trimTail(dst []byte, start int) []byte {
	text := bytes.Trim(dst[start:], " \t")
	if len(text) == len(dst)-start {
		return dst
	}
	return append(dst[:start], text...)
}
