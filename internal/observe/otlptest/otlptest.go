// Package otlptest is an OpenTelemetry collector for tests: it reads requests with the official types of the protocol, and keeps the spans.
//
// It is the second opinion on the messages that observe/otlp writes by hand. Not for programs.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A Span is one that was delivered, with IDs in hex.
type Span struct {
	Trace, ID, Parent string // Parent is "" if there is none
	Name, State       string
	Server            bool // else it is a client's
	Failed            bool
	Flags             uint32
	Began, Ended      time.Time
	Attributes        map[string]string // all values as text
	Events            []string
	Resource          map[string]string
	Scope             string // name and version
}

// String shows a span without what differs from run to run.
func (s *Span) String() string {
	var all []string
	for k, v := range s.Attributes {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	kind := "client"
	if s.Server {
		kind = "server"
	}
	return fmt.Sprintf("%s %q failed=%v %s", kind, s.Name, s.Failed, strings.Join(all, " "))
}

// A Collector takes what is posted to its URL.
type Collector struct {
	URL string

	t  testing.TB
	mu sync.Mutex
	// Of these each is guarded by mu.
	spans   []Span
	headers []http.Header
	answers []http.HandlerFunc
}

// New starts a collector, which ends with the test.
func New(t testing.TB) *Collector {
	c := &Collector{t: t}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Answer has the next request answered by h, whose content is not kept then. More than one wait in line.
func (c *Collector) Answer(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, h)
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = append(c.headers, r.Header.Clone())
	if len(c.answers) > 0 {
		h := c.answers[0]
		c.answers = c.answers[1:]
		h(w, r)
		return
	}
	all, err := Read(r)
	if err != nil {
		c.t.Error(err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.spans = append(c.spans, all...)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Spans returns what was delivered so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Requests returns the header of each request so far.
func (c *Collector) Requests() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers)
}

// Read returns the spans of a request.
func Read(r *http.Request) (all []Span, err error) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("%s %s, %q is no export", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, err
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return Decode(b)
}

// Decode returns the spans of an ExportTraceServiceRequest.
func Decode(b []byte) (all []Span, err error) {
	var m collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	if unknown := len(m.ProtoReflect().GetUnknown()); unknown > 0 {
		return nil, fmt.Errorf("%d bytes of the request are unknown", unknown)
	}
	for _, resource := range m.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				if unknown := len(s.ProtoReflect().GetUnknown()); unknown > 0 {
					return nil, fmt.Errorf("%d bytes of a span are unknown", unknown)
				}
				span := read(s)
				span.Resource = attributes(resource.Resource.GetAttributes())
				span.Scope = scope.Scope.GetName() + " " + scope.Scope.GetVersion()
				all = append(all, span)
			}
		}
	}
	return all, nil
}

func read(s *spans.Span) Span {
	span := Span{
		Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId), Name: s.Name, State: s.TraceState,
		Server: s.Kind == spans.Span_SPAN_KIND_SERVER, Failed: s.Status.GetCode() == spans.Status_STATUS_CODE_ERROR, Flags: s.Flags,
		Began: time.Unix(0, int64(s.StartTimeUnixNano)), Ended: time.Unix(0, int64(s.EndTimeUnixNano)), Attributes: attributes(s.Attributes),
	}
	for _, e := range s.Events {
		span.Events = append(span.Events, e.Name)
	}
	return span
}

func attributes(all []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range all {
		switch v := a.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.Key] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			out[a.Key] = fmt.Sprint(v.BoolValue)
		}
	}
	return out
}

// Rejecting is an answer that says that so many spans were not taken.
func Rejecting(count int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(Partial(count)) }
}

// Partial returns the message of such an answer.
func Partial(count int64) []byte {
	b, _ := proto.Marshal(&collector.ExportTraceServiceResponse{
		PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: count, ErrorMessage: "some were too odd"},
	})
	return b
}
