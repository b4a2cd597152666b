package build

import (
	"sluice/internal/config"
	"sluice/internal/filter"
	"sluice/internal/route"
)

// A kind is one feature: its config key and how its filter is made from a route's settings.
type kind struct {
	key string
	new func(b *builder, e config.Entry) filter.Filter // nil if something was wrong, which was reported
}

// kinds lists every feature in the order of the request phases (docs/life-of-a-request.md).
var kinds = []kind{}

// Features returns the config keys of all features.
func Features() []string {
	var keys []string
	for _, k := range kinds {
		keys = append(keys, k.key)
	}
	return keys
}

// ordered is the features of a route in both orders.
type ordered struct{ requests, responses []filter.Filter }

// features makes the filters that a scope asks for.
func features(b *builder, scope *config.Scope) (o ordered) {
	for _, k := range kinds {
		if e, on := scope.Feature(k.key); on {
			if f := k.new(b, e); f != nil {
				o.requests = append(o.requests, f)
				o.responses = append([]filter.Filter{f}, o.responses...)
			}
		}
	}
	return o
}

// report turns problems of the table into diagnostics.
func (b *builder) report(problems []route.Problem) {
	for _, p := range problems {
		b.d.Errorf(nil, "unreachable", "%v", p)
	}
}
