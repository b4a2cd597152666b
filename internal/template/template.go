// Package template makes text with values taken from an exchange: field values, redirects, rewritten paths ("https://{host}{uri}").
//
// A template is parsed when a snapshot is built and appended on the way of a request, without allocating. "{name}" stands for a value, "{{" and "}}" for
// braces. The kind of text decides how values are written, so that what a client sends can never end a field line, change a redirect's host or
// break a query: see Kind. Features use it; it knows none of them.
package template

import (
	"errors"
	"fmt"
	"strings"

	"sluice/internal/config"
	"sluice/internal/exchange"
)

// Kind is what a template's text is for.
type Kind uint8

const (
	// RequestField is a field value of a request. Control characters in values are dropped, and white space at the ends (RFC 9110, section 5.5).
	RequestField Kind = iota
	// ResponseField is a field value of a response; values of the response may be used, too.
	ResponseField
	// Location is a URI reference for a client (RFC 9110, section 10.2.2), which begins with a scheme or with "/". Values that the client chose cannot
	// be in its authority, but for the host and port of the request, and are percent-encoded elsewhere; {path}, {uri} and {query} are as received
	// where they can stand so. A result without an authority has one "/" at its beginning, since "//name" would lead to another host.
	Location
	// Path is a path, and a query if there is a "?", for a request. Values are written as in Location. The result is not in normal form.
	Path
	// Param is the value of a query's parameter, or its name: all of it is percent-encoded.
	Param
)

// Template is a parsed template. It never changes. The zero Template is empty.
type Template struct {
	kind    Kind
	rooted  bool // of a Location: it begins with a path
	dynamic bool // something in it is taken from an exchange
	parts   []part
	static  []byte // the whole text if nothing is
}

// part is literal text or a value.
type part struct {
	source  source
	text    string // the literal, or the name of the field, parameter or cookie
	capture int    // the number of a capture
	escape  escape
}

// escape is how a value is written.
type escape uint8

const (
	asIs      escape = iota
	cleaned          // without control characters
	encoded          // percent-encoded, all but unreserved characters
	wholePath        // a path that begins with a slash
	lastQuery        // a query at the end: if it is empty, the "?" or "&" before it goes, too
)

// bytesMax is the longest template, in bytes.
const bytesMax = 8 << 10

// Parse reads a template. captures is how many values {1}, {2}, … there are: those of the Captures given to Append.
func Parse(kind Kind, text string, captures int) (*Template, error) {
	if len(text) > bytesMax {
		return nil, fmt.Errorf("a template has at most %d bytes", bytesMax)
	}
	parts, err := split(text, names{kind == ResponseField, captures})
	if err != nil {
		return nil, err
	}
	t := &Template{kind: kind, parts: parts}
	switch kind {
	case Location, Path:
		err = t.escapeURI()
	case Param:
		t.escapeAll(encoded)
	default:
		err = t.cleanAll()
	}
	if err != nil {
		return nil, err
	}
	return t.fold(), nil
}

// Must is Parse for text that is part of the program. It panics on an error.
func Must(kind Kind, text string) *Template {
	t, err := Parse(kind, text, 0)
	if err != nil {
		//style:allow panic a template of our own would be wrong
		panic("template: " + text + ": " + err.Error())
	}
	return t
}

// split cuts text into literals and values.
func split(text string, known names) ([]part, error) {
	var parts []part
	var literal strings.Builder
	for len(text) > 0 {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			i = len(text)
		}
		literal.WriteString(text[:i])
		text = text[i:]
		switch {
		case text == "":
		case strings.HasPrefix(text, "{{") || strings.HasPrefix(text, "}}"):
			literal.WriteByte(text[0])
			text = text[2:]
		case text[0] == '}':
			return nil, errors.New(`a "}" without a "{" before it; the character itself is written "}}"`)
		default:
			name, rest, closed := strings.Cut(text[1:], "}")
			if !closed || strings.Contains(name, "{") {
				return nil, errors.New(`a "{" without a "}" behind it; the character itself is written "{{"`)
			}
			value, err := known.part(name)
			if err != nil {
				return nil, err
			}
			parts, text = append(appendLiteral(parts, &literal), value), rest
		}
	}
	return appendLiteral(parts, &literal), nil
}

func appendLiteral(parts []part, literal *strings.Builder) []part {
	if literal.Len() > 0 {
		parts = append(parts, part{source: literalText, text: literal.String()})
		literal.Reset()
	}
	return parts
}

func (t *Template) escapeAll(e escape) {
	for i := range t.parts {
		t.parts[i].escape = e
	}
}

// cleanAll is escapeAll for field values; the literals must be clean already.
func (t *Template) cleanAll() error {
	t.escapeAll(cleaned)
	for i := range t.parts {
		if p := &t.parts[i]; p.source == literalText && strings.IndexFunc(p.text, func(r rune) bool { return r < 0x80 && isControl(byte(r)) }) >= 0 {
			return errors.New("a field value has no control characters (RFC 9110, section 5.5)")
		}
	}
	return nil
}

// fold writes literals as they will be appended, and notes whether there is anything else.
func (t *Template) fold() *Template {
	for i := range t.parts {
		p := &t.parts[i]
		if p.source != literalText {
			t.dynamic = true
			continue
		}
		p.text = string(escapeTail([]byte(p.text), 0, p.escape))
		p.escape = asIs
	}
	if !t.dynamic {
		t.static = t.Append(nil, nil, Captures{})
	}
	return t
}

// Dynamic reports whether anything in t is taken from an exchange.
func (t *Template) Dynamic() bool { return t.dynamic }

// Captures is where the groups of a regular expression were found in a text.
type Captures struct {
	Text []byte
	At   []int // as of regexp.Regexp.FindSubmatchIndex
}

// Append appends the text of t for x to dst. dst may be the tail of x's scratch. BenchmarkAppend.
func (t *Template) Append(dst []byte, x *exchange.Exchange, c Captures) []byte {
	start := len(dst)
	for i := range t.parts {
		p := &t.parts[i]
		value := len(dst)
		dst = p.append(dst, x, c)
		dst = escapeTail(dst, value, p.escape)
	}
	switch {
	case t.rooted:
		return mergeRoot(dst, start)
	case t.kind == RequestField || t.kind == ResponseField:
		return trimTail(dst, start)
	}
	return dst
}

// Value returns the text of t for x: bytes of t itself if it is static, else of x's scratch.
func (t *Template) Value(x *exchange.Exchange) []byte {
	return t.ValueOf(x, Captures{})
}

// ValueOf is Value with captures.
func (t *Template) ValueOf(x *exchange.Exchange, c Captures) []byte {
	if !t.dynamic {
		return t.static
	}
	return x.Scratch.Commit(t.Append(x.Scratch.Tail(valueBytes), x, c))
}

// valueBytes is the room for a value that is asked of the scratch at least; it grows if that is too small.
const valueBytes = 128

// DidYouMean returns a suggestion for an error of Parse, "" if there is none.
func DidYouMean(err error) string {
	var unknown *unknownName
	if !errors.As(err, &unknown) {
		return ""
	}
	return config.DidYouMean(unknown.name, unknown.known)
}
