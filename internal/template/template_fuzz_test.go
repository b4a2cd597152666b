package template

import (
	"net/url"
	"strings"
	"testing"

	"sluice/internal/wire/target"
)

// FuzzParse looks for templates that make a field value or a URI that must not leave us.
func FuzzParse(f *testing.F) {
	f.Add("{client_ip} {{x}} {header.X} {query.q}", "/a", "q=%0d%0a", "x\ry")
	f.Add("https://{host}/x{uri}", "//evil", "q=/", "")
	f.Add("/{header.X}{1}?{query}&a={cookie.a}#{query.q}", "/", "", "/evil")
	f.Fuzz(func(t *testing.T, text, path, query, value string) {
		normal, err := target.Normalize(nil, []byte(path))
		if _, queryErr := target.Parse("GET", []byte("/?"+query)); err != nil || queryErr != nil {
			return
		}
		x := exchangeOf("http://a.example/")
		x.Request.Path, x.Request.Query, x.Request.HasQuery = normal, []byte(query), query != ""
		x.Request.Fields.AddNamed([]byte("X"), []byte(value))
		x.Request.Fields.AddNamed([]byte("Cookie"), []byte(value))
		for _, kind := range []Kind{RequestField, Location, Path, Param} {
			tmpl, err := Parse(kind, text, 1)
			if err != nil {
				continue
			}
			got := string(tmpl.ValueOf(x, Captures{normal, []int{0, len(normal), 0, len(normal)}}))
			if strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) >= 0 {
				t.Fatalf("%q makes %q", text, got)
			}
			if kind == Location {
				checkLocation(t, text, got)
			}
		}
	})
}

// checkLocation looks whether a browser on https://a.example/ would be led to a host that neither the template nor the request has.
func checkLocation(t *testing.T, text, got string) {
	t.Helper()
	for _, c := range []byte(got) {
		if c <= ' ' || c >= 0x7F {
			t.Fatalf("%q makes %q", text, got)
		}
	}
	if strings.HasPrefix(text, "//") || !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "{path}") && !strings.HasPrefix(text, "{uri}") {
		return // the host is in the template, and only {host} and {authority} could be from the client
	}
	u, err := url.Parse(strings.ReplaceAll(strings.NewReplacer("[", "", "]", "", `\`, "/").Replace(got), "%", ""))
	if err != nil || u.Host != "" || u.Scheme != "" {
		t.Fatalf("%q makes %q, which leads to %v (%v)", text, got, u, err)
	}
}
