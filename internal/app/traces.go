package app

import (
	"context"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"sluice/internal/config"
	"sluice/internal/observe/otlp"
	"sluice/internal/observe/trace"
)

// tracesEnd is how long the end of the process waits for the collector to take the last spans.
const tracesEnd = 5 * time.Second

// closeTraces ends the tracer.
func (p *Process) closeTraces() {
	ctx, cancel := context.WithTimeout(context.Background(), tracesEnd)
	defer cancel()
	p.traces.Close(ctx)
}

// reportTraces is told by the tracer how its deliveries go.
func (p *Process) reportTraces(err error) {
	if err != nil {
		p.log.Warn("traces can't be delivered", "error", err)
		return
	}
	p.log.Info("traces are delivered again")
}

// traceSettings translates the config of tracing; nil is none.
func traceSettings(c *config.Tracing, version string) trace.Settings {
	if c == nil {
		return trace.Settings{}
	}
	header := http.Header{}
	for name, value := range c.Headers {
		header.Set(name, value)
	}
	return trace.Settings{
		Export: otlp.Settings{
			URL: c.Endpoint, Header: header, Timeout: time.Duration(c.Timeout), Gzip: c.Compression == "gzip", QueueBytes: int(c.Queue),
			Resource: resource(c, version), Version: version,
		},
		Traces: c.Limit.Count, Per: c.Limit.Per,
	}
}

// resource is what traces say about this process. What the config says takes precedence.
func resource(c *config.Tracing, version string) (all []otlp.Attribute) {
	said := map[string]string{"service.version": version}
	if host, err := os.Hostname(); err == nil {
		said["host.name"] = host
	}
	maps.Copy(said, c.Attributes)
	said["service.name"] = c.Service
	for _, key := range slices.Sorted(maps.Keys(said)) {
		all = append(all, otlp.Attribute{Key: key, Value: said[key]})
	}
	return all
}
