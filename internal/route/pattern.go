package route

import (
	"bytes"
	"slices"
	"strings"
)

// A Pattern is text in which each "*" stands for any bytes, also none: "v2" equals, "v2*" begins with, "*" is there at all.
// The zero Pattern takes the empty text.
type Pattern struct {
	text   string
	pieces [][]byte // the text between the stars; one if there is no star
}

// ParsePattern returns the pattern that text writes. Every text is one.
func ParsePattern(text string) Pattern {
	return Pattern{text, bytes.Split([]byte(text), []byte{'*'})}
}

// String returns the pattern as written.
func (p Pattern) String() string { return p.text }

func (p *Pattern) hasStar() bool { return len(p.pieces) > 1 }

// matches reports whether p takes b. Leftmost is right for the pieces in the middle: what is left for the next one is longest then.
func (p *Pattern) matches(b []byte) bool {
	if len(p.pieces) < 2 {
		return string(b) == p.text
	}
	b, ok := bytes.CutPrefix(b, p.pieces[0])
	if !ok {
		return false
	}
	last := len(p.pieces) - 1
	for _, piece := range p.pieces[1:last] {
		i := bytes.Index(b, piece)
		if i < 0 {
			return false
		}
		b = b[i+len(piece):]
	}
	return bytes.HasSuffix(b, p.pieces[last])
}

// covers reports whether p takes all that q takes. It may say no where that is true.
func (p *Pattern) covers(q *Pattern) bool {
	if p.text == q.text || p.text == "*" {
		return true
	}
	if !q.hasStar() {
		return p.matches([]byte(q.text))
	}
	prefix, isPrefix := strings.CutSuffix(p.text, "*")
	return isPrefix && !strings.Contains(prefix, "*") && strings.HasPrefix(string(q.pieces[0]), prefix)
}

func anyMatches(patterns []Pattern, b []byte) bool {
	for i := range patterns {
		if patterns[i].matches(b) {
			return true
		}
	}
	return false
}

// allCovered reports whether each pattern of inner is covered by one of outer.
func allCovered(outer, inner []Pattern) bool {
	return !slices.ContainsFunc(inner, func(q Pattern) bool {
		return !slices.ContainsFunc(outer, func(p Pattern) bool { return p.covers(&q) })
	})
}
