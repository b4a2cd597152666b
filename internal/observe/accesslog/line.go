package accesslog

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"sluice/internal/exchange"
)

// Limits of one line, in bytes as they are written. What is longer is cut and ends with cutMark.
const (
	targetBytesMax = 4 << 10 // path, query and referer, each
	textBytesMax   = 512     // user agent, host
	nameBytesLimit = 128     // method, names of the config, request ID
	// lineBytesMax is more than any line has: three targets, two texts, eleven names, and 2 KiB for keys, numbers, addresses and marks.
	lineBytesMax = 3*targetBytesMax + 2*textBytesMax + 11*nameBytesLimit + 2<<10
)

// A stamp is the last time that was written by one loop, as text: its date and seconds are good for all lines of that second.
type stamp struct {
	iso, ncsa stampText
}

// A stampText is a stamp in one layout.
type stampText struct {
	second int64 // Unix time
	text   [len(ncsaLayout)]byte
}

const (
	isoLayout  = "2006-01-02T15:04:05"
	ncsaLayout = "02/Jan/2006:15:04:05"
)

// appendTime appends t by RFC 3339 in UTC, with milliseconds.
func (s *stamp) appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, s.iso.of(t, isoLayout)[:len(isoLayout)]...)
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// appendDate appends t as the NCSA formats have it, in UTC.
func (s *stamp) appendDate(dst []byte, t time.Time) []byte {
	return append(append(dst, s.ncsa.of(t, ncsaLayout)[:]...), " +0000"...)
}

// of is the text of t.
func (s *stampText) of(t time.Time, layout string) *[len(ncsaLayout)]byte {
	if unix := t.Unix(); unix != s.second {
		s.second = unix
		t.UTC().AppendFormat(s.text[:0], layout)
	}
	return &s.text
}

// appendJSON appends the line of x with its line break. It needs no more of x than the codec of a refused request has. BenchmarkAppendJSON.
func appendJSON(dst []byte, x *exchange.Exchange, st *style, s *stamp) []byte {
	hide := st.hide
	dst = append(dst, `{"time":"`...)
	dst = s.appendTime(dst, x.Driver.Time())
	dst = append(dst, '"')
	dst = appendClient(dst, &x.Client, st)
	dst = appendRequest(dst, &x.Request, hide)
	dst = appendOutcome(dst, x)
	dst = appendNotes(dst, x)
	dst = appendError(dst, x.Err)
	dst = appendReported(dst, &x.Request.Fields, hide)
	return append(dst, '}', '\n')
}

func appendClient(dst []byte, c *exchange.Client, st *style) []byte {
	if addr := clientAddr(c); addr.IsValid() {
		dst = append(dst, `,"client":"`...)
		dst = append(st.appendAddr(dst, addr), '"')
	}
	if c.Peer.IsValid() {
		dst = append(dst, `,"peer":"`...)
		dst = append(st.appendAddrPort(dst, c.Peer), '"')
	}
	return dst
}

// clientAddr is the client's address, the other end of the connection if nothing is known beyond it.
func clientAddr(c *exchange.Client) netip.Addr {
	if c.Addr.IsValid() {
		return c.Addr
	}
	return c.Peer.Addr()
}

// appendRequest appends what the client asked for, as it asked: filters may have changed the other form.
func appendRequest(dst []byte, r *exchange.Request, hide nameSet) []byte {
	dst = appendString(dst, `,"method":"`, r.Method)
	dst = appendString(dst, `,"scheme":"`, r.Scheme)
	dst = appendHost(dst, r)
	path, query, hasQuery := splitTarget(r)
	if len(path) > 0 {
		dst = append(dst, `,"path":"`...)
		dst = append(hide.appendURL(dst, path, false, targetBytesMax, asJSON), '"')
	}
	if hasQuery {
		dst = append(dst, `,"query":"`...)
		dst = append(hide.appendURL(dst, query, true, targetBytesMax, asJSON), '"')
	}
	return appendString(dst, `,"protocol":"`, r.Received.Version)
}

// appendHost appends the host that routes saw; of a refused request what was received, without user information.
func appendHost(dst []byte, r *exchange.Request) []byte {
	host := r.Host
	if len(host) == 0 {
		host = r.Received.Host
	}
	if at := bytes.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	if len(host) == 0 {
		return dst
	}
	dst = append(dst, `,"host":"`...)
	return append(appendText(dst, host, textBytesMax, asJSON), '"')
}

// splitTarget returns path and query of the request target (RFC 9112, section 3.2). The path of an absolute-form target is the whole URL before the query.
func splitTarget(r *exchange.Request) (path, query []byte, hasQuery bool) {
	target := r.Received.Target
	if len(target) == 0 {
		return r.Path, r.Query, r.HasQuery
	}
	path, query, hasQuery = bytes.Cut(target, []byte{'?'})
	if len(path) > 0 && path[0] != '/' && !bytes.Contains(path, []byte("//")) {
		// Authority-form or a fault: there may be user information without the slashes by which it is known.
		path = path[bytes.LastIndexByte(path, '@')+1:]
	}
	return path, query, hasQuery
}

func appendOutcome(dst []byte, x *exchange.Exchange) []byte {
	n := &x.Notes
	dst = appendNumber(dst, `,"status":`, int64(x.Response.Status))
	dst = appendNumber(dst, `,"bytes_in":`, int64(n.HeadIn)+n.ContentIn)
	dst = appendNumber(dst, `,"bytes_out":`, int64(n.HeadOut)+n.ContentOut)
	if n.Began > 0 {
		dst = appendMilliseconds(dst, `,"duration_ms":`, x.Driver.Now()-n.Began)
		if n.ResponseBegan > 0 {
			dst = appendMilliseconds(dst, `,"origin_ms":`, n.ResponseBegan-n.Began)
		}
	}
	if n.Aborted {
		dst = append(dst, `,"aborted":true`...)
	}
	return dst
}

func appendNotes(dst []byte, x *exchange.Exchange) []byte {
	n := &x.Notes
	dst = appendString(dst, `,"site":"`, n.Site)
	dst = appendString(dst, `,"route":"`, n.Route)
	dst = appendString(dst, `,"pool":"`, n.Pool)
	dst = appendString(dst, `,"endpoint":"`, n.Endpoint)
	if n.Attempts > 0 {
		dst = appendNumber(dst, `,"attempts":`, int64(n.Attempts))
		dst = append(dst, `,"reused":`...)
		dst = strconv.AppendBool(dst, n.Reused)
	}
	if n.TraceID != [16]byte{} {
		dst = append(dst, `,"trace_id":"`...)
		dst = append(hex.AppendEncode(dst, n.TraceID[:]), `","span_id":"`...)
		dst = append(hex.AppendEncode(dst, n.SpanID[:]), '"')
	}
	return dst
}

// appendError appends who failed, how and at what. The reason itself stays out: it may hold anything.
func appendError(dst []byte, err *exchange.Error) []byte {
	if err == nil {
		return dst
	}
	dst = appendString(dst, `,"error":"`, string(err.Kind))
	dst = appendString(dst, `,"error_source":"`, err.Source.String())
	dst = appendString(dst, `,"error_op":"`, err.Op)
	if err.Limit != "" {
		dst = appendString(dst, `,"error_limit":"`, err.Limit)
	}
	return dst
}

// appendReported appends what the client says about itself.
func appendReported(dst []byte, f *exchange.Fields, hide nameSet) []byte {
	if v := f.Get(exchange.FieldXRequestID); len(v) > 0 {
		dst = append(dst, `,"request_id":"`...)
		if bytes.IndexByte(v, ' ') >= 0 || bytes.IndexByte(v, ':') >= 0 {
			dst = append(hide.appendFree(dst, v, nameBytesLimit, asJSON), '"')
		} else {
			dst = append(hide.appendURL(dst, v, false, nameBytesLimit, asJSON), '"')
		}
	}
	if v := f.Get(exchange.FieldUserAgent); len(v) > 0 {
		dst = append(dst, `,"user_agent":"`...)
		dst = append(appendAgent(dst, v, hide, asJSON), '"')
	}
	if v := f.Get(exchange.FieldReferer); len(v) > 0 {
		dst = append(dst, `,"referer":"`...)
		dst = append(hide.appendURL(dst, v, false, targetBytesMax, asJSON), '"')
	}
	return dst
}

// appendAgent appends a user agent: free text, which nearly never holds a secret, and is too long to look for all kinds of them.
func appendAgent(dst, v []byte, hide nameSet, as *escaping) []byte {
	if bytes.IndexByte(v, '=') < 0 && bytes.IndexByte(v, '@') < 0 && !hasToken(v) && !hide.announces(v) {
		return appendText(dst, v, textBytesMax, as)
	}
	return hide.appendFree(dst, v, textBytesMax, as)
}

// hasScheme reports whether one of the words of text is an authentication scheme with this first letter, and something follows.
func hasScheme(text []byte, first byte) bool {
	for start := 0; ; start++ {
		i := bytes.IndexByte(text[start:], first)
		if i < 0 {
			return false
		}
		start += i
		if start > 0 && text[start-1] != ' ' {
			continue
		}
		if end := bytes.IndexByte(text[start:], ' '); end >= 0 && isScheme(text[start:start+end]) {
			return true
		}
	}
}

// announces reports whether a word of text says that a secret follows: "Bearer", "password:".
func (set nameSet) announces(text []byte) bool {
	if hasScheme(text, 'b') || hasScheme(text, 'B') {
		return true
	}
	for end := 0; ; end++ {
		i := bytes.IndexByte(text[end:], ':')
		if i < 0 {
			return false
		}
		end += i
		word := text[bytes.LastIndexByte(text[:end], ' ')+1 : end]
		if string(word) != "rv" && (set.isSecret(word) || len(word) > 0 && word[len(word)-1] == '"') { // browsers say rv:128.0
			return true
		}
	}
}

// hasToken reports whether one of the words of text looks like a token, or could hold one that is a part of it.
func hasToken(text []byte) bool {
	if bytes.Contains(text, []byte("eyJ")) {
		return true
	}
	for i := 0; i+tokenBytesMin <= len(text); {
		// Backwards, so that a space skips all shorter words before it.
		space := tokenBytesMin - 1
		for space >= 0 && text[i+space] != ' ' {
			space--
		}
		if space < 0 {
			if isToken(text[i:]) {
				return true
			}
			space = bytes.IndexByte(text[i:], ' ')
			if space < 0 {
				return false
			}
		}
		i += space + 1
	}
	return false
}

// appendString appends a member whose value is no secret, nothing if it is empty. key comes with all that stands before the value.
func appendString(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, key...)
	return append(appendText(dst, value, nameBytesLimit, asJSON), '"')
}

func appendText[T []byte | string](dst []byte, v T, bytesMax int, as *escaping) []byte {
	dst, ok := appendEscaped(dst, v, len(dst)+bytesMax, as)
	if !ok {
		dst = append(dst, cutMark...)
	}
	return dst
}

func appendNumber(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

// appendMilliseconds appends d with three decimals. A clock that went back reads as 0.
func appendMilliseconds(dst []byte, key string, d time.Duration) []byte {
	µs := int64(max(d, 0) / time.Microsecond)
	dst = appendNumber(dst, key, µs/1000)
	return append(dst, '.', byte('0'+µs/100%10), byte('0'+µs/10%10), byte('0'+µs%10))
}
