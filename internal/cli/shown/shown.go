// Package shown writes numbers for people: short, with a unit, of a width that fits in a column; and texts so that they do nothing to a terminal.
//
// Commands that print tables use it. It reads nothing and knows no terminal.
package shown

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable is text without what could act on a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// Milliseconds writes a time of that many milliseconds in at most 7 characters.
func Milliseconds(ms float64) string {
	switch {
	case ms < 9.995:
		return fmt.Sprintf("%.2fms", ms)
	case ms < 9_999.5:
		return fmt.Sprintf("%.0fms", ms)
	case ms < 600_000:
		return fmt.Sprintf("%.1fs", ms/1000)
	}
	return fmt.Sprintf("%.0fmin", ms/60_000)
}

// Bytes writes a number of bytes in at most 8 characters.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%dB", n)
	}
	size := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		size /= 1024
		if size < 999.5 {
			return fmt.Sprintf("%.3g%s", size, unit)
		}
	}
	return fmt.Sprintf("%.0fPiB", size/1024)
}
