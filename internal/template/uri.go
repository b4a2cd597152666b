package template

import (
	"errors"
	"fmt"
	"strings"
)

// where is a part of a URI (RFC 3986, section 3).
type where uint8

const (
	atStart where = iota
	inAuthority
	inPath
	inQuery
	inFragment
)

var (
	errStart     = errors.New(`it begins with a scheme ("https://…"), with "/", with {path} or with {uri}`)
	errPathStart = errors.New(`it begins with "/", with {path} or with {uri}`)
	errSlash     = errors.New(`{path} and {uri} begin with "/": leave out the one before them`)
	errHost      = errors.New("a host is missing behind the scheme")
	errFragment  = errors.New(`a request has no fragment: write "#" as "%23"`)
)

// uriWalk goes through a template of kind Location or Path and finds out where in a URI each part stands.
type uriWalk struct {
	t      *Template
	at     where
	last   byte // the last byte of the literal before, 0 if a value stands there
	host   bool // there is something in the authority
	scheme bool // {scheme} stands at the start
}

// escapeURI says for each value how it is written, and refuses what could lead a client astray.
func (t *Template) escapeURI() error {
	w := uriWalk{t: t}
	for i := range t.parts {
		p := &t.parts[i]
		var err error
		if p.source == literalText {
			err = w.literal(p)
		} else {
			err = w.value(p, i == len(t.parts)-1)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case w.at == atStart:
		return w.startError()
	case w.at == inAuthority && !w.host:
		return errHost
	}
	return nil
}

func (w *uriWalk) startError() error {
	if w.t.kind == Path {
		return errPathStart
	}
	return errStart
}

// literal steps over literal text.
func (w *uriWalk) literal(p *part) error {
	rest, err := w.begin(p.text)
	if err != nil {
		return err
	}
	if w.at == inAuthority {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		w.host = w.host || end > 0
		if end < len(rest) {
			if !w.host {
				return errHost
			}
			w.at, rest = inPath, rest[end:]
		}
	}
	if w.at == inPath && strings.ContainsAny(rest, "?#") {
		w.at, rest = inQuery, rest[strings.IndexAny(rest, "?#"):]
	}
	if (w.at == inQuery || w.at == inPath) && strings.Contains(rest, "#") {
		w.at = inFragment
	}
	if w.at == inFragment && w.t.kind == Path {
		return errFragment
	}
	w.last = p.text[len(p.text)-1]
	p.text, err = uriLiteral(p.text)
	return err
}

// begin looks at the first literal. It returns what follows the scheme.
func (w *uriWalk) begin(text string) (rest string, err error) {
	if w.at != atStart {
		return text, nil
	}
	switch {
	case w.t.kind == Path && strings.HasPrefix(text, "/"):
		w.at = inPath
	case w.t.kind == Path:
		return "", errPathStart
	case w.scheme && strings.HasPrefix(text, "://"):
		w.at, text = inAuthority, text[3:]
	case w.scheme:
		return "", errStart
	case strings.HasPrefix(text, "//"):
		w.at, text = inAuthority, text[2:]
	case strings.HasPrefix(text, "/"):
		w.at, w.t.rooted = inPath, true
	default:
		var ok bool
		if text, ok = cutScheme(text); !ok {
			return "", errStart
		}
		w.at = inAuthority
	}
	return text, nil
}

// cutScheme cuts "https://" or the like off (RFC 3986, section 3.1).
func cutScheme(text string) (rest string, ok bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	for i := range len(scheme) {
		if c := scheme[i]; !isUnreserved(c) && c != '+' || c == '_' || c == '~' {
			return "", false
		}
	}
	return rest, ok && scheme != ""
}

// value decides how the value p is written.
func (w *uriWalk) value(p *part, last bool) error {
	isPath := p.source == requestPath || p.source == requestURI
	if w.at == atStart && !isPath {
		if w.t.kind == Path || p.source != requestScheme || w.scheme {
			return w.startError()
		}
		w.scheme = true
		return nil
	}
	if w.scheme && w.at == atStart {
		return errStart
	}
	switch w.at {
	case atStart:
		w.t.rooted = w.t.kind == Location
		w.path(p)
	case inAuthority:
		return w.authority(p, isPath)
	case inPath:
		if isPath && w.last == '/' {
			return errSlash
		}
		w.inPath(p, isPath)
	case inQuery:
		p.escape = encoded
		if p.source == requestQuery && (w.last == '?' || w.last == '&') {
			p.escape = asIs
			if last {
				p.escape = lastQuery
			}
		}
	case inFragment:
		p.escape = encoded
	}
	w.last = 0
	return nil
}

// path steps over {path} or {uri}.
func (w *uriWalk) path(p *part) {
	p.escape, w.at = wholePath, inPath
	if p.source == requestURI {
		w.at = inQuery
	}
}

func (w *uriWalk) authority(p *part, isPath bool) error {
	switch {
	case isPath && !w.host:
		return errHost
	case isPath:
		w.path(p)
	case p.source == requestHost || p.source == requestAuthority || p.source == requestPort && w.host:
		w.host = true
	default:
		return fmt.Errorf("only {host}, {authority} and {port} can be in the host of a redirect: a client could choose where another value leads")
	}
	w.last = 0
	return nil
}

func (w *uriWalk) inPath(p *part, isPath bool) {
	switch {
	case isPath:
		w.path(p)
	case p.source != capture: // a piece of a path in normal form has neither "?" nor "#"
		p.escape = encoded
	}
}

// uriLiteral percent-encodes what no URI has, so that a person can write it.
func uriLiteral(text string) (string, error) {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case isControl(c) || c == '\t' || c == '\\':
			return "", fmt.Errorf("%q can't be in a URI", c)
		case c >= 0x80 || strings.IndexByte(" \"<>^`{|}", c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}
