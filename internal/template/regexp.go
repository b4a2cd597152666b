package template

import (
	"fmt"
	"regexp"

	"sluice/internal/config"
)

// Limits of expressions that give captures.
const (
	regexpBytesMax     = 1000    // of an expression
	regexpPathBytesMax = 8 << 10 // of a path: RE2 takes time linear in it, but some 50 ns for each byte
)

// Regexp is an expression (RE2) that is looked for in paths, for the captures of a template.
type Regexp struct {
	re *regexp.Regexp
}

// DecodeConfig implements config.NodeDecoder.
func (r *Regexp) DecodeConfig(d *config.Decoder, n *config.Node) {
	if n.Kind != config.Scalar {
		d.Wrong(n, "a regular expression")
		return
	}
	parsed, err := ParseRegexp(n.Value)
	if err != nil {
		d.Errorf(n, "bad-pattern", "%v", err)
		return
	}
	*r = *parsed
}

// ConfigForms implements config.Formed.
func (*Regexp) ConfigForms() []any { return []any{config.Form{Kind: config.FormRegexp}} }

// ParseRegexp compiles an expression.
func ParseRegexp(text string) (*Regexp, error) {
	if len(text) > regexpBytesMax {
		return nil, fmt.Errorf("a path_regexp has at most %d bytes", regexpBytesMax)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &Regexp{re}, nil
}

// Captures returns how many groups r has.
func (r *Regexp) Captures() int {
	if r == nil || r.re == nil {
		return 0
	}
	return r.re.NumSubexp()
}

// Find looks for r in path and returns where its groups are. It is not found in a path above 8 KiB. It allocates if it is found.
func (r *Regexp) Find(path []byte) (c Captures, ok bool) {
	if len(path) > regexpPathBytesMax {
		return Captures{}, false
	}
	at := r.re.FindSubmatchIndex(path)
	return Captures{path, at}, at != nil
}
