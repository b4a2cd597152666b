package h1

import (
	"encoding/binary"
	"math/bits"
)

// The loops that look at every byte of a head. BenchmarkParseRequest.

// isToken has the bytes of a token (RFC 9110, section 5.6.2).
var isToken = fillToken()

func fillToken() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}

// tokenEnd returns the index of the first byte from i on that is not of a token, len(b) if there is none.
func tokenEnd(b []byte, i int) int {
	for i < len(b) && isToken[b[i]] {
		i++
	}
	return i
}

// textEnd returns the index of the first byte from i on that may not be in a field value: a control character but HTAB (RFC 9110, section 5.5).
func textEnd(b []byte, i int) int {
	for {
		i = controlIndex(b, i, ' ')
		if i == len(b) || b[i] != '\t' {
			return i
		}
		i++
	}
}

// controlIndex returns the index of the first byte from i on that is below floor or is DEL, len(b) if there is none. It looks at eight bytes at once.
func controlIndex(b []byte, i int, floor uint64) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
		dels  = 0x7F * ones
	)
	for floors := floor * ones; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// Nearly always all eight are visible ASCII: then neither sum sets a high bit.
		if ((w-floors)|(w+ones))&highs == 0 {
			continue
		}
		// A subtraction sets the high bit of each byte that is too small. It may also set that of bytes above one, never of bytes below the lowest.
		below := (w - floors) & ^w
		del := ((w ^ dels) - ones) & ^(w ^ dels)
		if found := (below | del) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && uint64(b[i]) >= floor && b[i] != 0x7F {
		i++
	}
	return i
}

// hexValue has the value of each hexadecimal digit, -1 for other bytes.
var hexValue = fillHexValue()

func fillHexValue() (t [256]int8) {
	for c := range t {
		t[c] = -1
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = int8(i)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = int8(10 + i)
	}
	return t
}
