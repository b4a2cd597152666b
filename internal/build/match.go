package build

import (
	"maps"
	"slices"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/route"
)

// compileMatch returns what the match of a route in the configuration says. Patterns that no request can have are reported to d at their places.
func compileMatch(d *config.Decoder, from config.Match) []route.Match {
	matches := make([]route.Match, len(from))
	for i := range from {
		matches[i] = compileCondition(d, &from[i])
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
			d.Errorf(place(c.Node, key, i), "bad-pattern", "%v", err)
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

// firstPlace returns the node of the first pattern of a match, nil if it has none.
func firstPlace(m config.Match) *config.Node {
	if len(m) == 0 {
		return nil
	}
	return place(m[0].Node, "path", 0)
}

// placeOf returns the node that p is about, in the match that its rule was compiled from: the path, or the match itself. It is nil if p is about a site.
func placeOf(p route.Problem, m config.Match) *config.Node {
	if p.Match < 0 || p.Match >= len(m) {
		return nil
	}
	return place(m[p.Match].Node, "path", max(0, p.Path))
}
