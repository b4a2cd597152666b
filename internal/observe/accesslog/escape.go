package accesslog

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// cutMark ends a value that was longer than its limit.
const cutMark = "…"

const hexDigits = "0123456789abcdef"

// An escaping says which bytes a text may hold as they are, and how the others are written.
type escaping struct {
	plain [256]bool // ASCII only
	json  bool      // else as \xHH
}

var (
	// asJSON writes the inside of a JSON string (RFC 8259, section 7).
	asJSON = newEscaping(true, `"\`)
	// asQuoted writes the inside of a text in quotes whose readers know no escapes: no quote and no backslash is left.
	asQuoted = newEscaping(false, `"\`)
	// asWord is asQuoted for one of several words in such a text.
	asWord = newEscaping(false, `"\ `)
)

// newEscaping returns the escaping that lets printable ASCII through, but for the characters in not.
func newEscaping(json bool, not string) *escaping {
	e := &escaping{json: json}
	for c := ' '; c < 0x7F; c++ {
		e.plain[c] = !strings.ContainsRune(not, c)
	}
	return e
}

// appendEscaped appends s, escaped, until dst is end bytes long, and says whether all of s fitted in. An escape is never cut in half.
//
// As JSON invalid UTF-8 becomes \ufffd. Beyond what JSON asks for it escapes what could act on the terminal that a log is read in: DEL, C1 controls, line
// separators and marks that turn the direction of text.
func appendEscaped[T []byte | string](dst []byte, s T, end int, as *escaping) ([]byte, bool) {
	if start := len(dst); as.json && len(s) <= end-start {
		dst = append(dst, s...)
		if isPlain(dst[start:]) {
			return dst, true
		}
		dst = dst[:start]
	}
	return appendSlowly(dst, s, end, as)
}

// isPlain reports whether all bytes of s stand for themselves: eight at a time, since nearly all strings are so. BenchmarkAppendLine.
func isPlain(s []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		quote, backslash := w^ones*'"', w^ones*'\\'
		// A byte's high bit is set in: w if it is not ASCII, w+1 if it is DEL, w-0x20 if it is a control, x-1 if x is 0. A borrow can set the bit
		// of a byte above one that was found, and of no other.
		if (w|(w+ones)|(w-ones*' ')&^w|(quote-ones)&^quote|(backslash-ones)&^backslash)&highs != 0 {
			return false
		}
		if len(s) == 8 {
			return true
		}
		s = s[min(8, len(s)-8):] // the last eight overlap with those before
	}
	for _, c := range s {
		if !asJSON.plain[c] {
			return false
		}
	}
	return true
}

// appendSlowly is appendEscaped for any s, byte by byte.
func appendSlowly[T []byte | string](dst []byte, s T, end int, as *escaping) ([]byte, bool) {
	for len(s) > 0 {
		n := 0
		for n < len(s) && as.plain[s[n]] {
			n++
		}
		if room := end - len(dst); n > room {
			return append(dst, s[:max(room, 0)]...), false
		}
		dst = append(dst, s[:n]...)
		s = s[n:]
		if len(s) == 0 {
			break
		}
		r, size := firstRune(s)
		if end-len(dst) < as.bytesMax(size) {
			return dst, false
		}
		if as.json {
			dst = appendRune(dst, r, size)
		} else {
			dst = appendHex(dst, s[:size], r)
		}
		s = s[size:]
	}
	return dst, true
}

// bytesMax is how many bytes the escape of a character of so many bytes may take.
func (e *escaping) bytesMax(size int) int {
	if e.json {
		return 6
	}
	return 4 * size
}

// appendHex appends the character r, which is the bytes s: as it is, or each byte as \xHH.
func appendHex[T []byte | string](dst []byte, s T, r rune) []byte {
	if r >= 0xA0 && !isHidden(r) && (r != utf8.RuneError || len(s) > 1) {
		return append(dst, s...)
	}
	for i := range len(s) {
		dst = append(dst, '\\', 'x', hexDigits[s[i]>>4], hexDigits[s[i]&15])
	}
	return dst
}

// firstRune is utf8.DecodeRune for both types, of no more bytes than it needs.
func firstRune[T []byte | string](s T) (rune, int) {
	var b [utf8.UTFMax]byte
	return utf8.DecodeRune(b[:copy(b[:], s)])
}

// appendRune appends r, which took size bytes: as it is, or as an escape of at most six bytes.
func appendRune(dst []byte, r rune, size int) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r == utf8.RuneError && size == 1, r < 0xA0, isHidden(r):
		return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// isHidden reports whether r is a line separator or a mark that changes how its neighbours are shown.
func isHidden(r rune) bool {
	switch {
	case r == 0x200E, r == 0x200F, 0x2028 <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069, r == 0xFEFF:
		return true
	}
	return false
}
