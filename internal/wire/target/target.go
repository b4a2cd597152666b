// Package target reads request targets (RFC 9112, section 3.2) and authorities (RFC 3986, section 3.2), and brings paths into normal form.
//
// It is used where a request enters: codecs call Parse, then Normalize once; what routes match and what is forwarded is made from the normal form,
// so that no spelling of a path can pass a rule. All faults are answered by status 400. Nothing here allocates but Normalize and MergeSlashes when
// the room they are given is too small; results point into the input or into that room.
//
// Which raw bytes a target may have: those of RFC 3986, and those that it excludes but that user agents send because the URL standard of browsers
// leaves them alone: [ ] ^ ` { | } in paths, these and \ in queries. A path gets them percent-encoded, a query stays untouched. The other excluded bytes
// (controls, space, " # < > DEL, bytes from 0x80, and \ in paths) no browser sends, only a tool that does not look at what it is given: they are refused,
// since to put them right would be to guess what others on the way have read (RFC 9112, section 3.2).
package target

import (
	"bytes"
	"errors"

	"sluice/internal/exchange"
)

// A Form is one of the four forms of a request target (RFC 9112, section 3.2).
type Form uint8

const (
	Origin    Form = iota // "/path?query" (section 3.2.1)
	Absolute              // "http://host/path?query" (section 3.2.2)
	Authority             // "host:port" of CONNECT (section 3.2.3)
	Asterisk              // "*" of OPTIONS (section 3.2.4)
)

// A Target is a request target in parts, which point into what was parsed.
type Target struct {
	Form Form
	// Scheme is "http" or "https" in absolute-form, else empty.
	Scheme string
	// Authority is valid in the sense of CheckHost, as it was received; nil in origin-form and for a plain "*". It goes before a Host field (section 3.2.2).
	Authority []byte
	// Path begins with "/", or is "*" in asterisk-form and nil in authority-form. Its bytes are valid; it is not in normal form.
	Path []byte
	// Query is what follows the first "?". HasQuery tells "/?" from "/".
	Query    []byte
	HasQuery bool
}

// Faults of a target, all answered by 400.
var (
	errEmpty     = errors.New("the request target is empty")
	errForm      = errors.New("the request target has none of the four forms")
	errByte      = errors.New("the request target has a byte that a URI may not have")
	errAsterisk  = errors.New(`the request target "*" is for OPTIONS only`)
	errScheme    = errors.New("the scheme of the request target is neither http nor https")
	errAuthority = errors.New("the authority of the request target is not valid")
	errConnect   = errors.New("CONNECT needs a host and a port")
)

var (
	rootPath = []byte("/")
	asterisk = []byte("*")
)

// Parse splits a request target; which forms it may have depends on the method.
func Parse(method string, target []byte) (Target, error) {
	switch {
	case len(target) == 0:
		return Target{}, errEmpty
	case method == "CONNECT":
		return parseAuthority(target)
	case target[0] == '/':
		t := Target{Form: Origin}
		return t, t.split(target)
	case target[0] != '*':
		return parseAbsolute(method, target)
	case len(target) > 1:
		return Target{}, errForm
	case method != "OPTIONS":
		return Target{}, errAsterisk
	}
	return Target{Form: Asterisk, Path: target}, nil
}

// parseAuthority reads the target of CONNECT. A port is needed (RFC 9110, section 9.3.6).
func parseAuthority(target []byte) (Target, error) {
	_, port, ok := CheckHost(target)
	if !ok || len(port) == 0 {
		return Target{}, errConnect
	}
	return Target{Form: Authority, Authority: target}, nil
}

// parseAbsolute reads a whole URI. User information and an empty host are errors (RFC 9110, sections 4.2.1 and 4.2.4), which CheckHost finds.
func parseAbsolute(method string, target []byte) (Target, error) {
	scheme, rest, found := bytes.Cut(target, []byte("://"))
	if !found {
		return Target{}, errForm
	}
	t := Target{Form: Absolute}
	switch {
	case exchange.EqualFold(scheme, "http"):
		t.Scheme = "http"
	case exchange.EqualFold(scheme, "https"):
		t.Scheme = "https"
	default:
		return Target{}, errScheme
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	t.Authority, rest = rest[:end], rest[end:]
	if _, _, ok := CheckHost(t.Authority); !ok {
		return Target{}, errAuthority
	}
	if len(rest) == 0 && method == "OPTIONS" {
		// The URI has neither path nor query: it means the server as a whole (RFC 9112, section 3.2.4).
		t.Form, t.Path = Asterisk, asterisk
		return t, nil
	}
	return t, t.split(rest)
}

// split takes path and query apart and checks their bytes. An empty path is "/" (RFC 9110, section 4.2.3).
func (t *Target) split(b []byte) error {
	t.Path = b
	if i := bytes.IndexByte(b, '?'); i >= 0 {
		t.Path, t.Query, t.HasQuery = b[:i], b[i+1:], true
	}
	for _, c := range t.Path {
		if classes[c]&inPath == 0 {
			return errByte
		}
	}
	for _, c := range t.Query {
		if classes[c]&inQuery == 0 {
			return errByte
		}
	}
	if len(t.Path) == 0 {
		t.Path = rootPath
	}
	return nil
}
