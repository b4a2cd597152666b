package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	triesMax      = 6               // for one batch: half a minute
	backoffFirst  = time.Second     // between the first two tries; doubled for each further one
	throttleMax   = 2 * time.Minute // the longest pause that a collector can ask for
	answerBytes   = 64 << 10        // how much of an answer is read
	contentType   = "application/x-protobuf"
	timeoutWithin = 10 * time.Second // of one request, if the settings have none
)

// A refusal is an answer that is no success.
type refusal struct {
	status int
	again  bool          // it may be otherwise if the request is repeated
	after  time.Duration // not before; 0 leaves it to us
}

// Error implements error. It has nothing of what the collector said: that could repeat what it was sent.
func (r *refusal) Error() string {
	return fmt.Sprintf("the collector answered %d %s", r.status, http.StatusText(r.status))
}

// send posts a request until it is taken, is refused for good, or was tried often enough. Once the exporter closes, it is tried once more only.
func (e *Exporter) send(set *Settings, content []byte, spans int64) error {
	if set.Gzip {
		content = compress(content)
	}
	wait := backoffFirst
	for try := 1; ; try++ {
		last := e.closing.Err() != nil
		err := e.post(set, content, spans)
		var r *refusal
		refused := errors.As(err, &r)
		if err == nil || refused && !r.again || last || try == triesMax {
			return err
		}
		e.retried.Add(0, 1)
		pause := wait/2 + rand.N(wait) // so that proxies that failed together do not come back together
		if refused && r.after > 0 {
			pause = min(r.after, throttleMax)
		}
		e.pause(pause)
		wait *= 2
	}
}

// pause waits, not longer than until Close.
func (e *Exporter) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.closing.Done():
	}
}

// post sends one request and counts the spans that the collector rejects of it.
func (e *Exporter) post(set *Settings, content []byte, spans int64) error {
	ctx, cancel := e.bound(set.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, set.URL, bytes.NewReader(content))
	if err != nil {
		return err
	}
	for name, values := range set.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "sluice/"+set.Version)
	if set.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, answerBytes))
	switch status := answer.StatusCode; {
	case status >= 200 && status < 300:
		if err == nil { // what the collector took it has, even if its answer is broken
			e.rejected.Add(0, min(rejectedSpans(b), spans))
		}
		return nil
	default:
		return &refusal{status, isRetryable(status), retryAfter(answer.Header.Get("Retry-After"), time.Now())}
	}
}

// bound returns the context of one request. When the exporter closes, one that is under way gets as long as Close has, not longer.
func (e *Exporter) bound(timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		timeout = timeoutWithin
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	stop := context.AfterFunc(e.closing, func() { context.AfterFunc(e.last, cancel) })
	return ctx, func() { stop(); cancel() }
}

// isRetryable reports whether a request with that answer may be repeated (OTLP specification, "Retryable Response Codes").
func isRetryable(status int) bool {
	switch status {
	case 429, 502, 503, 504:
		return true
	}
	return false
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3); 0 if it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

func compress(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is a valid one
	_, _ = w.Write(content)                         // a bytes.Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}
