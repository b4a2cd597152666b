package rewrite

import (
	"bytes"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/filter/filtertest"
	"sluice/internal/wire/target"
)

// FuzzRewriteKeepsNormalForm looks for paths that leave a rewrite in another form than normal.
func FuzzRewriteKeepsNormalForm(f *testing.F) {
	configs := []string{
		"rewrite: { strip_prefix: /a/b, add_prefix: /v2 }", "rewrite: { replace_prefix: { /a: /b/c, /x: / } }", "rewrite: '/x{path}/y?p={path}&{query}'",
		`rewrite: { path_regexp: "^/(.*)x(.*)$", to: "/%2e/{1}{2}?{1}", query: { remove: a, set: { b: "{query.c}" } } }`,
	}
	var filters []filter.Requester
	for _, text := range configs {
		made, _ := New(filtertest.MustDecode[Config](f, text))
		filters = append(filters, made.(filter.Requester))
	}
	f.Add("//a/b//c%2F", "a=1&c=%0d")
	f.Add("/.x./", "")
	f.Fuzz(func(t *testing.T, path, query string) {
		parsed, err := target.Parse("GET", []byte(path+"?"+query))
		if err != nil || parsed.Form != target.Origin {
			return
		}
		normal, err := target.Normalize(nil, parsed.Path)
		if err != nil {
			return
		}
		for i, requester := range filters {
			x := exchangetest.New("GET", "http://a/")
			q := &x.Request
			q.Path, q.MatchPath, q.Query, q.HasQuery = bytes.Clone(normal), target.MergeSlashes(nil, normal), parsed.Query, true
			if requester.Request(x) == exchange.Answered {
				continue
			}
			if again, err := target.Normalize(nil, q.Path); err != nil || !bytes.Equal(again, q.Path) {
				t.Fatalf("%s: %q became %q (%v)", configs[i], normal, q.Path, err)
			}
			if !bytes.Equal(q.MatchPath, target.MergeSlashes(nil, q.Path)) {
				t.Fatalf("%s: %q is matched as %q", configs[i], q.Path, q.MatchPath)
			}
			if _, err := target.Parse("GET", append([]byte("/?"), q.Query...)); err != nil {
				t.Fatalf("%s: query %q", configs[i], q.Query)
			}
		}
	})
}
