package forward

import (
	"strings"

	"sluice/internal/exchange"
)

// A protection is the names of fields that a route sets or removes: what they say to the origin is the config's matter, however a client spells them.
type protection []protectedName

// A protectedName is one name, or the beginning of names.
type protectedName struct {
	text string
	open bool // all names that begin so
}

// newProtection returns the protection of names; a "*" at the end of one takes all that begin so.
func newProtection(names []string) (p protection) {
	for _, name := range names {
		text, open := strings.CutSuffix(name, "*")
		p = append(p, protectedName{text, open})
	}
	return p
}

// covers reports whether name means a protected field to a reader that makes "-" of everything but letters and digits.
func (p protection) covers(name []byte) bool {
	for i := range p {
		if head := p[i].head(name); head != nil && alike(head, p[i].text) {
			return true
		}
	}
	return false
}

// forged reports whether name is covered and yet not spelled like a protected one: those of the right spelling are the filter's that sets or removes them, which
// may use what the client sent.
func (p protection) forged(name []byte) bool {
	if !p.covers(name) {
		return false
	}
	for i := range p {
		if head := p[i].head(name); head != nil && exchange.EqualFold(head, p[i].text) {
			return false
		}
	}
	return true
}

// head is the part of name that is to be compared, nil if the length tells that it is another one.
func (n *protectedName) head(name []byte) []byte {
	if len(name) < len(n.text) || len(name) > len(n.text) && !n.open {
		return nil
	}
	return name[:len(n.text)]
}

// alike reports whether a and b, of one length, are one name to a reader that makes "-" of everything but letters and digits.
func alike(a []byte, b string) bool {
	for i, c := range a {
		if c != b[i] && fold(c) != fold(b[i]) {
			return false
		}
	}
	return true
}

// looksKnown reports whether name means a known field to such a reader.
func looksKnown(name []byte) bool {
	var room [64]byte
	folded := room[:min(len(name), len(room))]
	for i, c := range name[:len(folded)] {
		folded[i] = fold(c)
	}
	return exchange.LookupName(folded) != exchange.FieldOther || beginsXForwarded(folded)
}

// fold returns a letter in lower case, a digit, or "-".
func fold(c byte) byte {
	switch {
	case !isAlnum(c):
		return '-'
	case c <= 'Z':
		return c | 0x20 // digits have that bit
	}
	return c
}

// isOdd reports whether name has a byte that is no letter, digit or "-".
func isOdd(name []byte) bool {
	for _, c := range name {
		if !isAlnum(c) && c != '-' {
			return true
		}
	}
	return false
}
