package template

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/wire/query"
)

// source is where a value comes from.
type source uint8

const (
	literalText source = iota
	clientIP
	requestScheme
	requestHost
	requestPort
	requestAuthority
	requestMethod
	requestPath
	requestQuery
	requestURI
	requestField
	requestParam
	requestCookie
	responseStatus
	responseField
	capture
)

// plainNames are the values without an argument.
func plainNames() map[string]source {
	return map[string]source{
		"client_ip": clientIP,         // address of the client, behind trusted proxies
		"scheme":    requestScheme,    // "http" or "https"
		"host":      requestHost,      // host of the request, without a port
		"port":      requestPort,      // port of the request, that of the scheme if there is none
		"authority": requestAuthority, // host, and port if there is one
		"method":    requestMethod,
		"path":      requestPath,  // path in normal form, as rewritten so far
		"query":     requestQuery, // query without "?"
		"uri":       requestURI,   // path, and "?" with the query if there is one
	}
}

// argumentNames are the values that are followed by the name of a field, parameter or cookie.
func argumentNames() map[string]source {
	return map[string]source{"header.": requestField, "query.": requestParam, "cookie.": requestCookie}
}

// names is which values a template may have.
type names struct {
	response bool
	captures int
}

// unknownName is the error of a value that does not exist.
type unknownName struct {
	name  string
	known []string
}

func (e *unknownName) Error() string { return fmt.Sprintf("{%s} is not a value", e.name) }

// part returns the value that is called name.
func (n names) part(name string) (part, error) {
	if s, ok := plainNames()[name]; ok {
		return part{source: s}, nil
	}
	if number, err := strconv.Atoi(name); err == nil && number > 0 {
		if number > n.captures {
			return part{}, fmt.Errorf("{%d} is not a value: there are %d groups", number, n.captures)
		}
		return part{source: capture, capture: number}, nil
	}
	if rest, ok := strings.CutPrefix(name, "response."); ok && n.response {
		if rest == "status" {
			return part{source: responseStatus}, nil
		}
		if field, ok := strings.CutPrefix(rest, "header."); ok {
			return fieldPart(responseField, field)
		}
	}
	for prefix, s := range argumentNames() {
		if argument, ok := strings.CutPrefix(name, prefix); ok {
			return argumentPart(s, argument)
		}
	}
	return part{}, &unknownName{name, n.all()}
}

func argumentPart(s source, argument string) (part, error) {
	if s == requestField {
		return fieldPart(s, argument)
	}
	if argument == "" {
		return part{}, fmt.Errorf("a name is missing behind the dot")
	}
	return part{source: s, text: argument}, nil
}

func fieldPart(s source, name string) (part, error) {
	if !config.IsToken(name) {
		return part{}, fmt.Errorf("%q is not a field name (RFC 9110, section 5.1)", name)
	}
	return part{source: s, text: name}, nil
}

// all lists what can be written, for suggestions.
func (n names) all() []string {
	var all []string
	for name := range plainNames() {
		all = append(all, name)
	}
	for prefix := range argumentNames() {
		all = append(all, prefix+"NAME")
	}
	if n.response {
		all = append(all, "response.status", "response.header.NAME")
	}
	slices.Sort(all)
	return all
}

// append appends the value as it is.
func (p *part) append(dst []byte, x *exchange.Exchange, c Captures) []byte {
	switch p.source {
	case literalText:
		return append(dst, p.text...)
	case capture:
		if i := 2 * p.capture; i+1 < len(c.At) && c.At[i] >= 0 {
			return append(dst, c.Text[c.At[i]:c.At[i+1]]...)
		}
		return dst
	case clientIP:
		if !x.Client.Addr.IsValid() {
			return dst
		}
		return x.Client.Addr.Unmap().AppendTo(dst)
	case responseStatus:
		return strconv.AppendInt(dst, int64(x.Response.Status), 10)
	case responseField:
		return appendField(dst, &x.Response.Fields, p.text)
	}
	return p.appendRequest(dst, &x.Request)
}

// appendRequest appends a value of the request.
func (p *part) appendRequest(dst []byte, r *exchange.Request) []byte {
	switch p.source {
	case requestScheme:
		return append(dst, r.Scheme...)
	case requestHost:
		return append(dst, r.Host...)
	case requestPort:
		return appendPort(dst, r)
	case requestAuthority:
		return append(dst, r.Authority...)
	case requestMethod:
		return append(dst, r.Method...)
	case requestPath:
		return append(dst, r.Path...)
	case requestQuery:
		return append(dst, r.Query...)
	case requestURI:
		if dst = append(dst, r.Path...); r.HasQuery {
			dst = append(append(dst, '?'), r.Query...)
		}
	case requestField:
		return appendField(dst, &r.Fields, p.text)
	case requestParam:
		return appendParam(dst, r.Query, p.text)
	case requestCookie:
		return appendCookie(dst, &r.Fields, p.text)
	}
	return dst
}

func appendPort(dst []byte, r *exchange.Request) []byte {
	if i := bytes.LastIndexByte(r.Authority, ':'); i >= 0 && i > bytes.LastIndexByte(r.Authority, ']') && i+1 < len(r.Authority) {
		return append(dst, r.Authority[i+1:]...)
	}
	if r.Scheme == "https" {
		return append(dst, "443"...)
	}
	return append(dst, "80"...)
}

// appendField appends the values of all lines with the name, joined as a list (RFC 9110, section 5.3).
func appendField(dst []byte, f *exchange.Fields, name string) []byte {
	found := false
	for _, line := range f.Lines() {
		if !exchange.EqualFold(line.Name, name) {
			continue
		}
		if found {
			dst = append(dst, ", "...)
		}
		dst = append(dst, line.Value...)
		found = true
	}
	return dst
}

// appendParam appends what the first parameter with the name means.
func appendParam(dst, q []byte, name string) []byte {
	for len(q) > 0 {
		var p query.Param
		if p, q = query.Next(q); query.Is(p.Name, name) {
			return query.AppendDecoded(dst, p.Value)
		}
	}
	return dst
}

// appendCookie appends the first cookie with the name (RFC 6265, section 5.4).
func appendCookie(dst []byte, f *exchange.Fields, name string) []byte {
	for _, line := range f.Lines() {
		if line.ID != exchange.FieldCookie {
			continue
		}
		for rest := line.Value; len(rest) > 0; {
			pair := rest
			if i := bytes.IndexByte(rest, ';'); i >= 0 {
				pair, rest = rest[:i], rest[i+1:]
			} else {
				rest = nil
			}
			i := bytes.IndexByte(pair, '=')
			if i >= 0 && string(exchange.TrimSpace(pair[:i])) == name {
				return append(dst, exchange.TrimSpace(pair[i+1:])...)
			}
		}
	}
	return dst
}
