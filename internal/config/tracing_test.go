package config_test

import (
	"strings"
	"testing"

	"sluice/internal/config"
)

// tracingOf returns what is traced of each route of a config, as "share trust", "off" for nothing.
func tracingOf(t *testing.T, text string) string {
	t.Helper()
	c, d := load(map[string]string{"sluice.yaml": text})
	if d.Failed() || c == nil {
		t.Fatal(d.Diagnostics)
	}
	var all []string
	add := func(s *config.Scope) {
		if s.Tracing == nil {
			all = append(all, "off")
			return
		}
		all = append(all, s.Tracing.Sample.String()+" "+string(s.Tracing.Trust))
	}
	for _, site := range c.Sites {
		add(&site.Scope)
		for _, r := range site.Routes {
			add(&r.Scope)
		}
	}
	return strings.Join(all, ", ")
}

func TestTracingIsInherited(t *testing.T) {
	const site = `sites: { "http://a.example": { to: "10.0.0.1:80"%, routes: [{ match: /a }, { match: /b, tracing: { sample: 5% } }, { match: /c, tracing: off }] } }`
	for _, c := range []struct{ top, site, want string }{
		{"", "", "off, off, 5% proxies, off"},
		{"tracing: off\n", "", "off, off, 5% proxies, off"},
		{"tracing: { endpoint: 'http://c:1' }\n", "", "100% proxies, 100% proxies, 5% proxies, off"},
		{"tracing: { endpoint: 'http://c:1', sample: 1%, trust: nobody }\n", "", "1% nobody, 1% nobody, 5% nobody, off"},
		{"tracing: { endpoint: 'http://c:1', sample: 1% }\n", ", tracing: { trust: everyone }", "1% everyone, 1% everyone, 5% everyone, off"},
		{"tracing: { endpoint: 'http://c:1', sample: 1% }\n", ", tracing: off", "off, off, 5% proxies, off"},
		{"tracing: { endpoint: 'http://c:1' }\ndefaults: { tracing: { sample: 2%, trust: nobody } }\n", "", "2% nobody, 2% nobody, 5% nobody, off"},
	} {
		if got := tracingOf(t, c.top+strings.Replace(site, "%", c.site, 1)); got != c.want {
			t.Errorf("%q, %q: got %s, want %s", c.top, c.site, got, c.want)
		}
	}
}

func TestCompletesTheEndpoint(t *testing.T) {
	for written, want := range map[string]string{
		"http://127.0.0.1:4318":        "http://127.0.0.1:4318/v1/traces",
		"https://otlp.example/":        "https://otlp.example/v1/traces",
		"https://otlp.example/a/b":     "https://otlp.example/a/b",
		"http://[::1]:4318":            "http://[::1]:4318/v1/traces",
		"http://collector:4318/v1/any": "http://collector:4318/v1/any",
	} {
		c, d := load(map[string]string{"sluice.yaml": "sites: {}\ntracing: { endpoint: '" + written + "' }"})
		if d.Failed() || c.Tracing.Endpoint != want {
			t.Errorf("%s becomes %v, %v", written, c.Tracing, d.Diagnostics)
		}
	}
}

func TestValuesOfTraceHeadersAreSecrets(t *testing.T) {
	c, d := load(map[string]string{"sluice.yaml": "sites: {}\ntracing: { endpoint: 'http://c:1', headers: { Authorization: hush-hush-hush } }"})
	if d.Failed() || c.Tracing.Headers["Authorization"] != "hush-hush-hush" {
		t.Fatal(c.Tracing, d.Diagnostics)
	}
	if text := c.Root.YAML(); strings.Contains(text, "hush") || !strings.Contains(text, "(secret)") {
		t.Errorf("shown as %s", text)
	}
}

func TestSaysThatTheEndpointIsMissing(t *testing.T) {
	_, d := load(map[string]string{"sluice.yaml": "sites: {}\ntracing: { sample: 1% }"})
	if len(d.Diagnostics) == 0 || d.Diagnostics[0].Code != "missing" {
		t.Error(d.Diagnostics)
	}
}
