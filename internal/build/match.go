package build

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/route"
)

// compileMatch returns what the match of a route in the configuration says. Patterns that no request can have are reported to d at their places.
func compileMatch(d *config.Decoder, from config.Match) []route.Match {
	matches := make([]route.Match, len(from))
	ok := len(from) > 0
	for i := range from {
		before := d.Errors()
		matches[i] = compileCondition(d, &from[i])
		ok = ok && !from[i].Faulty && d.Errors() == before
	}
	if !ok {
		return nil // a match of which a part is missing would seem to take too much
	}
	return matches
}

func compileCondition(d *config.Decoder, c *config.Condition) route.Match {
	m := route.Match{Method: c.Method, ClientIP: c.ClientIP}
	m.Host = parseAll(d, c, "host", c.Host, route.ParseHost)
	m.Path = parseAll(d, c, "path", c.Path, route.ParsePath)
	for i, re := range c.PathRegexp {
		switch {
		case re == nil: // what is wrong with it has been reported
		case len(re.String()) > route.RegexpBytesMax:
			d.Errorf(place(c.Node, "path_regexp", i), "bad-pattern", "a path_regexp has at most %d bytes", route.RegexpBytesMax)
		default:
			m.PathRegexp = append(m.PathRegexp, re)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		if exchange.EqualFold(name, "Host") {
			d.Hintf(place(c.Node, "header", 0), "bad-pattern", "write host: [NAME, …]", "the field Host is matched with host")
		}
		m.Header = append(m.Header, route.FieldMatch{Name: name, Values: patterns(c.Header[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Query)) {
		m.Query = append(m.Query, route.ParamMatch{Name: name, Values: patterns(c.Query[name])})
	}
	return m
}

// parseAll parses the texts of one key of c and leaves out those that are faulty.
func parseAll[T any](d *config.Decoder, c *config.Condition, key string, texts []string, parse func(string) (T, error)) []T {
	var all []T
	for i, text := range texts {
		parsed, err := parse(text)
		if err != nil {
			d.Hintf(place(c.Node, key, i), "bad-pattern", patternHint(key, text), "%v", err)
			continue
		}
		all = append(all, parsed)
	}
	return all
}

func patterns(texts []string) []route.Pattern {
	var all []route.Pattern
	for _, text := range texts {
		all = append(all, route.ParsePattern(text))
	}
	return all
}

// place returns the node of the i-th item of a key of n, or n if that is the short form of its only path.
func place(n *config.Node, key string, i int) *config.Node {
	value := n.Get(key)
	switch {
	case value == nil:
		return n
	case value.Kind == config.List && i < len(value.Items):
		return value.Items[i]
	}
	return value
}

// patternHint says which host or path was likely meant by a wrong one, "" if that is not known.
func patternHint(key, text string) string {
	switch {
	case key == "host":
		_, rest, found := strings.Cut(text, "://")
		if !found {
			rest = text
		}
		host, _, _ := strings.Cut(rest, ":")
		if host, _, _ = strings.Cut(host, "/"); host != text && host != "" {
			return fmt.Sprintf("did you mean %q?", host)
		}
	case strings.Contains(text, "**"):
		for strings.Contains(text, "**") {
			text = strings.ReplaceAll(text, "**", "*")
		}
		return fmt.Sprintf("did you mean %q?", text)
	case strings.Contains(text, "?"):
		path, query, _ := strings.Cut(text, "?")
		if name, value, found := strings.Cut(query, "="); found && !strings.ContainsAny(query, "&#{}[], ") {
			return fmt.Sprintf("write { path: %s, query: { %s: %s } }", path, name, value)
		}
	case strings.HasPrefix(text, "*."):
		return fmt.Sprintf(`write { path_regexp: '\.%s$' }`, text[2:])
	}
	return ""
}

// placeOf returns the node that p is about, in the match that its rule was compiled from: the path or host, or the match itself. It is nil if p is about a site.
func placeOf(p route.Problem, m config.Match) *config.Node {
	if p.Match < 0 || p.Match >= len(m) {
		return nil
	}
	if p.Kind == route.OtherHost {
		return place(m[p.Match].Node, "host", 0)
	}
	return place(m[p.Match].Node, "path", max(0, p.Path))
}

// unreachable tells that the requests of a match, which stands at the first node, are taken by an earlier one.
func unreachable(at, by *config.Node) (text, hint string) {
	where := fmt.Sprintf("on line %d", by.Pos.Line)
	if by.Pos.File != at.Pos.File {
		where = "in " + by.Pos.String()
	}
	mine, theirs := at.Flow(), by.Flow()
	text = fmt.Sprintf("%q never matches: %q %s takes it first", shortened(mine), shortened(theirs), where)
	if mine == theirs {
		return text, "take one of them away"
	}
	return text + "; move it up", ""
}

// shortened cuts a text that would make a message hard to read.
func shortened(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// named is the node that says the most about a match in a message: its path if that is all it has, or else the match.
func named(c *config.Condition, path int) *config.Node {
	if c.Node.Kind == config.Map && len(c.Node.Entries) == 1 && len(c.Path) > 0 {
		return place(c.Node, "path", max(0, path))
	}
	return c.Node
}
