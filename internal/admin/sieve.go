package admin

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A sieve says which lines of the access log a reader wants. All of its parts must hold; the zero sieve takes all lines.
type sieve struct {
	site     string
	statuses []string // "404", "5xx"
	path     string   // exact, or what it begins with
	prefix   bool
	clients  netip.Prefix // invalid: any
}

// newSieve reads a sieve from the query of a request.
func newSieve(query url.Values) (*sieve, error) {
	s := &sieve{site: query.Get("site")}
	s.path, s.prefix = strings.CutSuffix(query.Get("path"), "*")
	if text := query.Get("status"); text != "" {
		s.statuses = strings.Split(text, ",")
	}
	for _, status := range s.statuses {
		if !isStatus(status) {
			return nil, fmt.Errorf("%q is not a status such as 404, or a class such as 5xx", status)
		}
	}
	if text := query.Get("client"); text != "" {
		var err error
		if s.clients, err = parseNetwork(text); err != nil {
			return nil, fmt.Errorf("%q is not an address or a network", text)
		}
	}
	return s, nil
}

// isStatus reports whether text is three digits, the last two of which may be "xx".
func isStatus(text string) bool {
	if rest, ok := strings.CutSuffix(text, "xx"); ok {
		return len(rest) == 1 && rest[0] >= '1' && rest[0] <= '5'
	}
	n, err := strconv.Atoi(text)
	return err == nil && (n == 0 || n >= 100 && n <= 999)
}

func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// takes reports whether line, a JSON object, is wanted.
func (s *sieve) takes(line []byte) bool {
	if s.site == "" && len(s.statuses) == 0 && s.path == "" && !s.prefix && !s.clients.IsValid() {
		return true
	}
	var of struct {
		Site, Path, Client string
		Status             int
	}
	if json.Unmarshal(line, &of) != nil {
		return false
	}
	status := strconv.Itoa(of.Status)
	client, _ := netip.ParseAddr(of.Client)
	switch {
	case s.site != "" && s.site != of.Site:
		return false
	case len(s.statuses) > 0 && !slices.ContainsFunc(s.statuses, func(want string) bool { return want == status || want[1:] == "xx" && want[0] == status[0] }):
		return false
	case s.prefix && !strings.HasPrefix(of.Path, s.path), !s.prefix && s.path != "" && s.path != of.Path:
		return false
	}
	return !s.clients.IsValid() || s.clients.Contains(client.Unmap())
}
