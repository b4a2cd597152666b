package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"sluice/internal/wire/target"
)

// A Path is a pattern for the path of a request, in the same normal form as Request.MatchPath.
type Path struct {
	kind     pathKind
	text     string    // as in messages and logs, with its stars
	literal  string    // what stands before the first star
	segments []Pattern // of a glob: between the slashes
	open     bool      // of a glob: its last star takes what is below, too
}

type pathKind uint8

const (
	exactPath pathKind = iota
	belowPath          // literal and whatever follows
	globPath
)

// ParsePath returns the pattern that text writes. Case counts. A "*" at the end takes any continuation, slashes included; one elsewhere takes any bytes of
// one segment, also none. So "/static/*" takes "/static/" and all below but not "/static"; "/admin*" takes "/admin", "/admin/x" and "/administrator";
// "/a/*/b" takes "/a/x/b". "*" alone takes every request, "OPTIONS *" too.
//
// text is brought to normal form as the paths of requests are (target.Normalize), so "/käse" and "/%6b%c3%a4se" are the same pattern. A star that is meant
// itself is written "%2A", and takes that spelling only.
func ParsePath(text string) (Path, error) {
	if text == "*" {
		return *below(""), nil
	}
	if !strings.HasPrefix(text, "/") {
		return Path{}, errors.New(`a path begins with "/"; for the end of a path use path_regexp`)
	}
	if strings.Contains(text, "**") {
		return Path{}, errors.New(`"**" is not a pattern: a "*" at the end takes everything below, one elsewhere takes one segment`)
	}
	text, err := normalPattern(text)
	if err != nil {
		return Path{}, err
	}
	literal, rest, hasStar := strings.Cut(text, "*")
	switch {
	case !hasStar:
		return Path{kind: exactPath, text: text, literal: text}, nil
	case rest == "":
		return *below(literal), nil
	}
	p := Path{kind: globPath, text: text, literal: literal, open: strings.HasSuffix(text, "*")}
	for segment := range strings.SplitSeq(text[1:], "/") {
		p.segments = append(p.segments, ParsePattern(segment))
	}
	return p, nil
}

// below returns the pattern for literal and whatever follows.
func below(literal string) *Path {
	return &Path{kind: belowPath, text: literal + "*", literal: literal}
}

// String returns the pattern in normal form.
func (p Path) String() string { return p.text }

// matches reports whether p takes path, which is in normal form.
func (p *Path) matches(path []byte) bool {
	switch p.kind {
	case exactPath:
		return string(path) == p.literal
	case belowPath:
		return bytes.HasPrefix(path, []byte(p.literal))
	}
	return p.matchesGlob(path)
}

func (p *Path) matchesGlob(path []byte) bool {
	rest, more := bytes.CutPrefix(path, slash)
	for i := range p.segments {
		if !more {
			return false
		}
		var segment []byte
		segment, rest, more = bytes.Cut(rest, slash)
		if !p.segments[i].matches(segment) {
			return false
		}
	}
	return p.open || !more
}

var slash = []byte{'/'}

// covers reports whether p takes all that q takes. It may say no where that is true.
func (p *Path) covers(q *Path) bool {
	switch {
	case p.text == q.text:
		return true
	case q.kind == exactPath:
		return p.matches([]byte(q.literal))
	}
	return p.kind == belowPath && strings.HasPrefix(q.literal, p.literal)
}

// normalPattern brings a path with stars to the form that paths of requests have when they are matched.
func normalPattern(text string) (string, error) {
	var raw []byte
	for i := range len(text) {
		switch c := text[i]; {
		case c == '?' || c == '#':
			return "", fmt.Errorf("a path has no %q; match parameters with query", c)
		case c < ' ' || c == 0x7F:
			return "", errors.New("a path has no control characters")
		case c > 0x7F || strings.IndexByte(` "<>\`, c) >= 0:
			raw = fmt.Appendf(raw, "%%%02X", c) // no client may send it raw, but a person may write it
		default:
			raw = append(raw, c)
		}
	}
	normal, err := target.Normalize(nil, raw)
	if err != nil {
		return "", err
	}
	return string(target.MergeSlashes(nil, normal)), nil
}
