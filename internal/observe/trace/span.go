package trace

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/observe/accesslog"
	"sluice/internal/observe/otlp"
	"sluice/internal/wire/tracecontext"
)

// Limits of one span, in bytes. What is longer is cut.
const (
	pathBytesMax = 1 << 10
	textBytesMax = 256
	nameBytesMax = 128 // of a span's name, without the method
	// spanBytesMax is more than any span has: a path, a tracestate, ten texts, and 1 KiB for keys and numbers. All spans of one exchange fit into a buffer.
	spanBytesMax = pathBytesMax + tracecontext.StateBytesMax + 10*textBytesMax + 1<<10
)

// A clock turns readings of a driver's clock into Unix time.
type clock struct{ zero int64 }

func clockOf(x *exchange.Exchange) clock {
	return clock{x.Driver.Time().UnixNano() - int64(x.Driver.Now())}
}

func (c clock) at(instant time.Duration) int64 { return c.zero + int64(instant) }

// appendSpans appends the spans of x, which has ended now, by the semantic conventions for HTTP (OpenTelemetry, stable since 1.23). It needs no more of x than the
// codec of a refused request has.
func appendSpans(dst []byte, x *exchange.Exchange, tr *exchange.Trace) []byte {
	c, now := clockOf(x), x.Driver.Now()
	dst = appendServer(dst, x, tr, c, now)
	for i := range tr.Attempts[:tr.Count] {
		dst = appendAttempt(dst, x, tr, i, c, now)
	}
	return dst
}

// appendServer appends the span of the exchange.
func appendServer(dst []byte, x *exchange.Exchange, tr *exchange.Trace, c clock, now time.Duration) []byte {
	n, r, status := &x.Notes, &x.Request, x.Response.Status
	began := now
	if n.Began > 0 {
		began = n.Began
	}
	failure := ""
	if x.Err != nil {
		failure = string(x.Err.Kind)
	}
	route := patternOf(n.Route)
	var room [textBytesMax]byte
	dst, span := otlp.BeginSpan(dst, &otlp.Span{
		TraceID: n.TraceID, ID: n.SpanID, Parent: tr.Parent, Remote: true, Flags: tr.Flags, State: tr.State, Name: nameOf(room[:0], r.Method, route),
		Kind: otlp.Server, Began: c.at(began), Ended: c.at(now), Failed: status >= 500 || n.Aborted,
	})
	dst = appendMethod(dst, r.Method)
	dst = appendText(dst, "http.route", route)
	dst = appendText(dst, "url.scheme", r.Scheme)
	dst = appendTarget(dst, r)
	dst = appendServerAddress(dst, r)
	dst = appendClient(dst, &x.Client)
	dst = appendText(dst, "network.protocol.version", strings.TrimPrefix(r.Received.Version, "HTTP/"))
	if v := r.Fields.Get(exchange.FieldUserAgent); len(v) > 0 {
		var agent otlp.OpenText
		dst, agent = otlp.BeginText(dst, "user_agent.original")
		dst = agent.End(accesslog.AppendAgent(dst, v))
	}
	dst = appendOutcome(dst, status, failure, 500)
	dst = appendText(dst, "sluice.site", n.Site)
	dst = appendText(dst, "sluice.route", n.Route)
	dst = appendText(dst, "sluice.pool", n.Pool)
	if n.Aborted {
		dst = otlp.AppendTrue(dst, "sluice.aborted")
	}
	return otlp.EndSpan(dst, span)
}

// appendAttempt appends the span of attempt i.
func appendAttempt(dst []byte, x *exchange.Exchange, tr *exchange.Trace, i int, c clock, now time.Duration) []byte {
	n, a := &x.Notes, &tr.Attempts[i]
	ended := now
	if a.Ended > 0 {
		ended = a.Ended
	}
	failure := string(a.Failure)
	if a.Status > 0 && i == tr.Count-1 && x.Err != nil && x.Err.Source == exchange.Upstream {
		failure = string(x.Err.Kind) // the response has broken off
	}
	var room [textBytesMax]byte
	dst, span := otlp.BeginSpan(dst, &otlp.Span{
		TraceID: n.TraceID, ID: a.SpanID, Parent: n.SpanID, Flags: tr.Flags, State: tr.State, Name: nameOf(room[:0], x.Request.Method, ""),
		Kind: otlp.Client, Began: c.at(a.Began), Ended: c.at(ended), Failed: failure != "" || a.Status >= 400,
	})
	dst = appendMethod(dst, x.Request.Method)
	dst = appendEndpoint(dst, a.Endpoint, x.Request.Path)
	if a.Origin.IsValid() {
		dst = appendAddress(dst, "network.peer.address", a.Origin)
	}
	if i > 0 {
		dst = otlp.AppendInt(dst, "http.request.resend_count", int64(i))
	}
	dst = appendOutcome(dst, a.Status, failure, 400)
	dst = appendText(dst, "sluice.pool", n.Pool)
	if a.Reused {
		dst = otlp.AppendTrue(dst, "sluice.connection.reused")
	}
	if a.Answered > 0 {
		dst = otlp.AppendEvent(dst, "response head", c.at(a.Answered))
	}
	return otlp.EndSpan(dst, span)
}

// nameOf returns the name of a span, of which there must be few: the method and the pattern of the route, if it has one. It is appended to room.
func nameOf(room []byte, method, route string) []byte {
	if !isKnown(method) {
		method = "HTTP"
	}
	room = append(room, method...)
	if route != "" {
		room = append(room, ' ')
		room = accesslog.AppendText(room, route, nameBytesMax)
	}
	return room
}

// isKnown reports whether method is one of those that the semantic conventions name.
func isKnown(method string) bool {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY":
		return true
	}
	return false
}

func appendMethod(dst []byte, method string) []byte {
	if isKnown(method) {
		return otlp.AppendString(dst, "http.request.method", method)
	}
	dst = otlp.AppendString(dst, "http.request.method", "_OTHER")
	return appendText(dst, "http.request.method_original", method)
}

// patternOf returns the path of a route's name, "2 /static/*", or "" if it has none.
func patternOf(name string) string {
	if _, pattern, found := strings.Cut(name, " "); found && (pattern[0] == '/' || pattern[0] == '*') {
		return pattern
	}
	return ""
}

// appendTarget appends the path as it was received, before filters may have changed it. The query stays out: it is where secrets are.
func appendTarget(dst []byte, r *exchange.Request) []byte {
	path := r.Path
	if target := r.Received.Target; len(target) > 0 && target[0] == '/' {
		path, _, _ = bytes.Cut(target, []byte{'?'})
	}
	if len(path) == 0 {
		return dst
	}
	dst, text := otlp.BeginText(dst, "url.path")
	return text.End(accesslog.AppendURL(dst, path, pathBytesMax))
}

// appendServerAddress appends the host and port that the client asked for.
func appendServerAddress(dst []byte, r *exchange.Request) []byte {
	if len(r.Host) == 0 {
		return dst // refused before it was known
	}
	port := int64(80)
	if r.Scheme == "https" {
		port = 443
	}
	if i := bytes.LastIndexByte(r.Authority, ':'); i > bytes.LastIndexByte(r.Authority, ']') {
		if n, ok := number(r.Authority[i+1:]); ok {
			port = n
		}
	}
	dst = appendText(dst, "server.address", r.Host)
	return otlp.AppendInt(dst, "server.port", port)
}

// appendEndpoint appends where an attempt went: "http://10.0.0.1:8080" or "unix:/run/app.sock", and the URL that was asked for there, without its query.
func appendEndpoint(dst []byte, endpoint string, path []byte) []byte {
	_, host, found := strings.Cut(endpoint, "://")
	if !found { // a Unix socket
		return appendText(dst, "server.address", strings.TrimPrefix(endpoint, "unix:"))
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		if n, ok := number(host[i+1:]); ok {
			dst = otlp.AppendInt(dst, "server.port", n)
			host = host[:i]
		}
	}
	dst = appendText(dst, "server.address", host)
	dst, text := otlp.BeginText(dst, "url.full")
	dst = accesslog.AppendText(dst, endpoint, textBytesMax)
	return text.End(accesslog.AppendURL(dst, path, pathBytesMax))
}

// number reads a port.
func number[T []byte | string](s T) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, len(s) > 0 && len(s) <= 5
}

func appendClient(dst []byte, c *exchange.Client) []byte {
	if c.Addr.IsValid() {
		dst = appendAddress(dst, "client.address", c.Addr)
	} else if c.Peer.IsValid() {
		dst = appendAddress(dst, "client.address", c.Peer.Addr())
	}
	if c.Peer.IsValid() {
		dst = appendAddress(dst, "network.peer.address", c.Peer.Addr())
		dst = otlp.AppendInt(dst, "network.peer.port", int64(c.Peer.Port()))
	}
	return dst
}

// appendAddress appends an address without its zone: that of an address from a forwarding field is any text.
func appendAddress(dst []byte, key string, addr netip.Addr) []byte {
	dst, text := otlp.BeginText(dst, key)
	return text.End(addr.WithZone("").AppendTo(dst))
}

// appendOutcome appends the status and why it was no success: the kind of error (RFC 9209), or the status if that is failing or more.
func appendOutcome(dst []byte, status int, failure string, failing int) []byte {
	if status > 0 {
		dst = otlp.AppendInt(dst, "http.response.status_code", int64(status))
	}
	if failure != "" {
		return otlp.AppendString(dst, "error.type", failure)
	}
	if status >= failing {
		var text otlp.OpenText
		dst, text = otlp.BeginText(dst, "error.type")
		dst = text.End(strconv.AppendInt(dst, int64(status), 10))
	}
	return dst
}

// appendText appends an attribute, nothing if it is empty.
func appendText[T []byte | string](dst []byte, key string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	dst, text := otlp.BeginText(dst, key)
	return text.End(accesslog.AppendText(dst, value, textBytesMax))
}
