package config

import (
	"net/url"
	"strings"
	"time"
)

// Tracing sends spans of exchanges to an OpenTelemetry collector. Without it nothing is traced, and traceparent and tracestate pass through untouched.
type Tracing struct {
	// Endpoint is the collector's URL, for OTLP over HTTP: "http://127.0.0.1:4318". Without a path it is completed by /v1/traces.
	Endpoint string `conf:"endpoint,required"`
	// Headers are fields of the requests to the collector, for credentials. Their values are secrets: they are never shown again.
	Headers map[string]string `conf:"headers,secret"`
	// Timeout is the longest that one request to the collector may take.
	Timeout Duration `conf:"timeout,min=100ms,max=1m"`
	// Compression is how requests to the collector are compressed.
	Compression TraceCompression `conf:"compression"`
	// Queue is how much may wait for the collector. Spans that find it full are dropped and counted.
	Queue Size `conf:"queue,min=64KiB,max=64MiB"`
	// Limit is how many requests may be sampled, for all sites and whoever asked for it: 100/s unless it is set; off is no limit.
	Limit Rate `conf:"limit,off"`
	// Service is what traces call this proxy (service.name).
	Service string `conf:"service"`
	// Attributes say more about this proxy, in each trace: deployment.environment.name, service.namespace.
	Attributes map[string]string `conf:"attributes"`

	SiteTracing
}

// SiteTracing is what a site or route can set for itself. Under tracing at the top it is for all sites.
type SiteTracing struct {
	// Sample is the share of requests whose traces begin here that is sampled. Of a trace that goes on, the client has decided.
	Sample Share `conf:"sample"`
	// Trust says whose traceparent is believed, so that the client's trace goes on here: proxies (those of trusted_proxies), everyone or nobody. For others a
	// trace of its own begins.
	Trust TraceTrust `conf:"trust"`
}

// Defaults implements Defaulter.
func (s *SiteTracing) Defaults() { *s = SiteTracing{Sample: ShareMax, Trust: "proxies"} }

// ConfigName implements Named.
func (*SiteTracing) ConfigName() string { return "the tracing of a site" }

// Defaults implements Defaulter.
func (t *Tracing) Defaults() {
	*t = Tracing{
		Timeout: Duration(10 * time.Second), Compression: "gzip", Queue: 4 << 20, Limit: Rate{Count: 100, Per: time.Second}, Service: "sluice",
	}
	t.SiteTracing.Defaults()
}

// ConfigName implements Named.
func (*Tracing) ConfigName() string { return "tracing" }

// ValidateConfig implements Validator.
func (t *Tracing) ValidateConfig(d *Decoder, n *Node) {
	t.checkEndpoint(d, n.Get("endpoint"))
	if headers := n.Get("headers"); headers != nil {
		for _, e := range headers.Entries {
			checkTraceHeader(d, e)
		}
	}
}

// TracePath is what an endpoint without a path is completed by.
const TracePath = "/v1/traces"

// checkEndpoint checks the URL, and completes it.
func (t *Tracing) checkEndpoint(d *Decoder, n *Node) {
	u, err := url.Parse(t.Endpoint)
	switch {
	case n == nil: // it has been said
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		hint := ""
		if !strings.Contains(t.Endpoint, "://") && !n.Secret {
			hint = "did you mean \"http://" + t.Endpoint + "\"?"
		}
		d.Hintf(n, "bad-url", hint, `"endpoint" is the http:// or https:// URL of a collector`)
	case u.User != nil:
		password, _ := u.User.Password()
		d.keepSecret(password)
		d.Hintf(n, "bad-url", "write an Authorization into headers", "credentials do not belong into a URL")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		d.Errorf(n, "bad-url", `"endpoint" has no query and no fragment`)
	case u.Port() == "4317" && u.Path == "":
		warning := at(n, Warning, "grpc-port", "OTLP over HTTP has port 4318", "4317 is the port of OTLP over gRPC, which is not spoken here")
		d.Report(warning)
		fallthrough
	default:
		if u.Path == "" || u.Path == "/" {
			u.Path = TracePath
			t.Endpoint = u.String()
		}
	}
}

// checkTraceHeader refuses fields that can't be sent, and those that are the exporter's own.
func checkTraceHeader(d *Decoder, e Entry) {
	switch name := strings.ToLower(e.Key.Value); {
	case !IsToken(name):
		d.Errorf(e.Key, "bad-name", "%q is not a field name (RFC 9110, section 5.1)", e.Key.Value)
	case name == "content-type" || name == "content-length" || name == "content-encoding" || name == "transfer-encoding" || name == "connection" || name == "host":
		d.Errorf(e.Key, "bad-name", "%q is not yours to set here", e.Key.Value)
	}
}

// TraceTrust says whose traceparent is believed.
type TraceTrust string

// ConfigWords implements Words.
func (TraceTrust) ConfigWords() []string { return []string{"proxies", "everyone", "nobody"} }

// TraceCompression is a content coding, or none.
type TraceCompression string

// ConfigWords implements Words.
func (TraceCompression) ConfigWords() []string { return []string{"gzip", "none"} }
