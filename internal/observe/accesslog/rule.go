package accesslog

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sluice/internal/config"
	"sluice/internal/exchange"
)

// Name is the config key of the feature.
const Name = "log"

// Config says which exchanges of a site or route have a line in the access log; off is none. It is no second log: where lines go, and what is in them, is said by
// log.access at the top.
type Config struct {
	// Sample is the share of exchanges that are logged, such as 1% or 0.01.
	Sample Share `conf:"sample"`
	// Always names statuses that are logged whatever sample says: 404, 5xx, none (no response was sent). 5xx stands also for responses that broke off through
	// a fault of the origin or the proxy. With off they are sampled like the others.
	Always []Status `conf:"always,one,off"`
	// Only leaves out all exchanges for which not all of its keys hold, whatever sample and always say; off leaves out none.
	Only Only `conf:"only,off"`
}

// Defaults implements config.Defaulter.
func (c *Config) Defaults() { *c = Config{Sample: 1, Always: []Status{"5xx"}} }

// ConfigName implements config.Named.
func (*Config) ConfigName() string { return "the log of a site" }

// Only holds for an exchange if all of its keys do; a list means any of its items.
type Only struct {
	// Status holds statuses: 404, 5xx, none (no response was sent).
	Status []Status `conf:"status,one"`
	// Path is exact, or with a star at its end: /api/* takes all that begins with /api/.
	Path []string `conf:"path,one"`
	// Method holds methods; case counts.
	Method []string `conf:"method,one"`
	// SlowerThan is the time that an exchange must have taken, from the first byte of the request to the last one of the response.
	SlowerThan config.Duration `conf:"slower_than,off"`
}

// ValidateConfig implements config.Validator.
func (o *Only) ValidateConfig(d *config.Decoder, n *config.Node) {
	paths := n.Get("path")
	for i, path := range o.Path {
		item := paths
		if paths.Kind == config.List {
			item = paths.Items[i]
		}
		if star := strings.IndexByte(path, '*'); path == "" || path[0] != '/' && path != "*" || star >= 0 && star < len(path)-1 {
			d.Hintf(item, "bad-path", "write /api/* for all that begins with /api/", "a path begins with /, and a star stands at its end")
		}
	}
}

// Share is a part of a whole, from 0 to 1.
type Share float64

// DecodeConfig implements config.NodeDecoder.
func (s *Share) DecodeConfig(d *config.Decoder, n *config.Node) {
	share, err := parseShare(n.Value)
	if n.Kind != config.Scalar || err != nil {
		d.Wrong(n, "a share from 0 to 1, such as 1% or 0.01")
		return
	}
	*s = share
}

// String writes s in percent.
func (s Share) String() string { return strconv.FormatFloat(float64(s)*100, 'g', -1, 64) + "%" }

// ConfigForms implements config.Formed.
func (*Share) ConfigForms() []any {
	return []any{config.Form{Text: "1%"}, config.Form{Kind: config.FormNumber, Min: "0", Max: "1"}}
}

func parseShare(text string) (Share, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%q is no share", text)
	}
	return Share(f), nil
}

// Status is a status code, a class of them as 5xx, or none.
type Status string

// DecodeConfig implements config.NodeDecoder.
func (s *Status) DecodeConfig(d *config.Decoder, n *config.Node) {
	if _, _, ok := Status(n.Value).span(); n.Kind != config.Scalar || !ok {
		d.Wrong(n, "a status such as 404, a class such as 5xx, or none")
		return
	}
	*s = Status(n.Value)
}

// ConfigForms implements config.Formed.
func (*Status) ConfigForms() []any {
	return []any{config.Form{Text: "5xx or none"}, config.Form{Kind: config.FormInteger, Min: "100", Max: "599"}}
}

// span returns the first and the last of the codes that s stands for; 0 is none.
func (s Status) span() (first, last int, ok bool) {
	if s == "none" {
		return 0, 0, true
	}
	if len(s) != 3 || s[0] < '1' || s[0] > '5' {
		return 0, 0, false
	}
	if strings.EqualFold(string(s[1:]), "xx") {
		first = int(s[0]-'0') * 100
		return first, first + 99, true
	}
	code, err := strconv.Atoi(string(s))
	return code, code, err == nil && code >= 100
}

// statusSet is a set of status codes up to 639, one bit each.
type statusSet [10]uint64

func newStatusSet(all []Status) (set statusSet) {
	for _, s := range all {
		first, last, _ := s.span()
		for code := first; code <= last; code++ {
			set[code/64] |= 1 << (code % 64)
		}
	}
	return set
}

func (s *statusSet) has(code int) bool {
	return code >= 0 && code < 64*len(s) && s[code/64]&(1<<(code%64)) != 0
}

// A rule is a Config in the form that is asked for each exchange. It does not change.
type rule struct {
	never     bool
	sampled   bool   // not all are taken
	below     uint64 // a dice below it takes an exchange
	always    statusSet
	onlyCodes bool
	codes     statusSet
	paths     []string
	methods   []string
	slower    time.Duration // 0: any
}

// compile returns the rule of c, nil if that takes all.
func (c Config) compile() *rule {
	if c.Sample >= 1 && len(c.Only.Status)+len(c.Only.Path)+len(c.Only.Method) == 0 && c.Only.SlowerThan == 0 {
		return nil
	}
	r := &rule{
		sampled: c.Sample < 1, always: newStatusSet(c.Always), onlyCodes: len(c.Only.Status) > 0, codes: newStatusSet(c.Only.Status),
		paths: c.Only.Path, methods: c.Only.Method, slower: time.Duration(c.Only.SlowerThan),
	}
	if r.sampled {
		r.below = uint64(float64(c.Sample) * math.MaxUint64)
	}
	return r
}

// takes reports whether x is logged. It is called for each exchange of a route with such a rule. BenchmarkRuleTakes.
func (r *rule) takes(x *exchange.Exchange, d *dice) bool {
	status := x.Response.Status
	switch {
	case r.never:
		return false
	case r.onlyCodes && !r.codes.has(status) && !(r.codes.has(500) && isFault(x)):
		return false
	case r.slower > 0 && (x.Notes.Began == 0 || x.Driver.Now()-x.Notes.Began <= r.slower):
		return false
	case len(r.methods) > 0 && !slices.Contains(r.methods, x.Request.Method):
		return false
	case len(r.paths) > 0 && !takesPath(r.paths, x.Request.MatchPath):
		return false
	}
	return !r.sampled || r.always.has(status) || r.always.has(500) && isFault(x) || d.roll() < r.below
}

// isFault reports whether the response broke off, and not because of the client. Its status can be any: the head was sent before.
func isFault(x *exchange.Exchange) bool {
	return x.Notes.Aborted && x.Err != nil && x.Err.Source != exchange.Downstream
}

func takesPath(patterns []string, path []byte) bool {
	for _, p := range patterns {
		prefix, star := strings.CutSuffix(p, "*")
		if string(path) == p || star && len(path) >= len(prefix) && string(path[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// A dice is a stream of random numbers: SplitMix64 of Steele, Lea and Flood, whose whole state is one counter, so that it needs no lock.
type dice struct{ state atomic.Uint64 }

func (d *dice) roll() uint64 {
	z := d.state.Add(0x9E3779B97F4A7C15)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
