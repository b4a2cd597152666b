package build

import (
	"path/filepath"

	"sluice/internal/config"
	"sluice/internal/filter"
	"sluice/internal/filter/errorpages"
	"sluice/internal/filter/headers"
	"sluice/internal/filter/redirect"
	"sluice/internal/filter/respond"
	"sluice/internal/filter/rewrite"
	"sluice/internal/observe/accesslog"
)

// A kind is one feature: its config key and how its filters are made from a route's settings.
type kind struct {
	key    string
	config any                                              // a sample of its settings
	new    func(b *builder, e config.Entry) []filter.Filter // what is wrong is reported; nil filters are left out
}

// kinds lists every feature in the order of the request phases. Users choose features, not their order, so it can't be wrong (docs/life-of-a-request.md).
var kinds = []kind{
	{errorpages.Name, errorpages.Config{}, newErrorPages},
	{headers.Name, headers.Config{}, newHeaders},
	{redirect.Name, redirect.Config{}, one(redirect.New)},
	{respond.Name, respond.Config{}, one(respond.New)},
	{rewrite.Name, rewrite.Config{}, one(rewrite.New)},
	{accesslog.Name, accesslog.Config{}, newLog},
}

// responseOrder lists the features in the order of the response phases: what replaces a response comes before what edits it.
var responseOrder = []string{
	errorpages.Name,
	headers.Name,
}

// Features returns the config keys of all features.
func Features() []string {
	var keys []string
	for _, k := range kinds {
		keys = append(keys, k.key)
	}
	return keys
}

// Outline returns all settings that there are, with those of features.
func Outline() *config.Group {
	o := config.Outliner{Features: map[string]any{}, Order: Features()}
	for _, k := range kinds {
		o.Features[k.key] = k.config
	}
	return o.Outline()
}

// one makes the filter of a feature that has one, from its Config.
func one[C any](make func(C) (filter.Filter, error)) func(*builder, config.Entry) []filter.Filter {
	return func(b *builder, e config.Entry) []filter.Filter {
		f, err := make(config.Make[C](b.d, e))
		if err != nil && b.d.Failed() {
			return nil // what was wrong with the settings has been reported already, at its place
		}
		if err != nil {
			b.d.Errorf(e.Value, "bad-setting", "%v", err)
			return nil
		}
		return []filter.Filter{f}
	}
}

func newHeaders(b *builder, e config.Entry) []filter.Filter {
	c := config.Make[headers.Config](b.d, e)
	b.protects[e.Value] = c.Request.Names()
	requests, responses, err := headers.New(c)
	if err != nil {
		b.d.Errorf(e.Value, "bad-setting", "%v", err)
	}
	return []filter.Filter{requests, responses}
}

// protected returns the names of the request fields that a scope's headers set or remove. The filter has been made.
func (b *builder) protected(scope *config.Scope) []string {
	e, on := scope.Feature(headers.Name)
	if !on {
		return nil
	}
	return b.protects[e.Value]
}

// newErrorPages reads the files that pages are in, relative to the file that names them.
func newErrorPages(b *builder, e config.Entry) []filter.Filter {
	c := config.Make[errorpages.Config](b.d, e)
	c.ReadFiles(b.d, func(name *config.Node) ([]byte, error) {
		path := name.Value
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(name.Pos.File), path)
		}
		content, err := b.env.ReadFile(path)
		if err != nil {
			return nil, config.FileError(path, err)
		}
		return content, nil
	})
	f, err := errorpages.New(c)
	if err != nil {
		b.d.Errorf(e.Value, "bad-setting", "%v", err)
		return nil
	}
	return []filter.Filter{f}
}

// newLog makes the filter of a scope that says which of its exchanges are logged. Those that say nothing get theirs from logger.
func newLog(b *builder, e config.Entry) []filter.Filter {
	c := config.Make[accesslog.Config](b.d, e)
	if b.env.Access == nil {
		return nil
	}
	return []filter.Filter{accesslog.NewFilter(b.env.Access, c)}
}

// ordered is the filters of a route in both orders.
type ordered struct{ requests, responses []filter.Filter }

// features makes the filters that a scope asks for.
func features(b *builder, scope *config.Scope) (o ordered) {
	made := map[string][]filter.Filter{}
	for _, k := range kinds {
		e, on := scope.Feature(k.key)
		if !on {
			continue
		}
		filters, ok := b.filters[e.Value]
		if !ok {
			filters = k.new(b, e)
			b.filters[e.Value] = filters
		}
		for _, f := range filters {
			if f != nil {
				o.requests = append(o.requests, f)
				made[k.key] = append(made[k.key], f)
			}
		}
	}
	for _, key := range responseOrder {
		o.responses = append(o.responses, made[key]...)
	}
	return o
}
