package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/observe/metric"
	"sluice/internal/observe/otlptest"
)

// A line is a transport without a network: it answers by a list, and keeps what was sent and when.
type line struct {
	mu      sync.Mutex
	answers []answer // the next ones; then 200. Guarded by mu
	sent    []string // guarded by mu
	began   time.Time
	bodies  [][]otlptest.Span // guarded by mu
}

// An answer is a status, or an error without one.
type answer struct {
	status int
	after  string
	body   []byte
	hangs  bool
	wait   chan struct{} // closed when the answer may come
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	a := answer{status: 200}
	if len(l.answers) > 0 {
		a, l.answers = l.answers[0], l.answers[1:]
	}
	l.sent = append(l.sent, fmt.Sprint(time.Since(l.began).Round(time.Second)))
	all, err := otlptest.Read(r)
	if err != nil {
		panic(err)
	}
	l.bodies = append(l.bodies, all)
	l.mu.Unlock()
	if a.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if a.wait != nil {
		<-a.wait
	}
	if a.status == 0 {
		return nil, errors.New("no connection")
	}
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", a.after)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	return w.Result(), nil
}

// times returns when requests were sent, in seconds since the start, of which there are at most six digits.
func (l *line) times() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.sent, " ")
}

// A bench is an exporter over a line, in a bubble of testing/synctest.
type bench struct {
	*Exporter
	line    line
	set     *metric.Set
	mu      sync.Mutex
	gathers []byte   // spans that Collect hands over; guarded by mu
	reports []string // guarded by mu
}

func newBench(s Settings, answers ...answer) *bench {
	b := &bench{set: metric.NewSet(1)}
	b.line.answers, b.line.began = answers, time.Now()
	b.Exporter = New(Hooks{
		Collect: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.gathers != nil {
				b.Hand(b.gathers, 1)
				b.gathers = nil
			}
		},
		Report: func(err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.reports = append(b.reports, fmt.Sprint(err))
		},
		Transport: &b.line,
	}, b.set)
	if s.URL == "" {
		s.URL = "http://collector/v1/traces"
	}
	b.Apply(s)
	return b
}

// gather makes a span that will be collected.
func (b *bench) gather(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gathers = spanOf(text)
}

// reported is what the owner was told.
func (b *bench) reported() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.reports, ", ")
}

// counts are the counters: spans dropped in the queue, at delivery, by the collector; requests done, failed, retried.
func (b *bench) counts() string {
	return fmt.Sprint(b.queueFull.Value(), b.undelivered.Value(), b.rejected.Value(), b.delivered.Value(), b.failed.Value(), b.retried.Value())
}

func (b *bench) want(t *testing.T, times, counts, reports string) {
	t.Helper()
	if b.line.times() != times || b.counts() != counts || b.reported() != reports {
		t.Errorf("sent at %s, counts %s, reports %q; want %s, %s, %q", b.line.times(), b.counts(), b.reported(), times, counts, reports)
	}
}

// pass lets time pass on the fake clock, and all that comes of it happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestDeliversWhatIsGathered(t *testing.T) {
	for _, gzip := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(Settings{Gzip: gzip, Header: http.Header{"Authorization": {"Bearer hush"}}})
			defer b.Close(context.Background())
			b.gather("a")
			pass(collectEvery + time.Second)
			b.want(t, "2s", "0 0 0 1 0 0", "")
			if got := b.line.bodies[0]; len(got) != 1 || got[0].Attributes["text"] != "a" {
				t.Errorf("gzip %v: %v", gzip, got)
			}
		})
	}
}

func TestDeliversFullBuffersAtOnceAndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		b := newBench(Settings{QueueBytes: 64 << 20}, answer{status: 200, wait: open})
		defer b.Close(context.Background())
		for range 1 + batchBuffersMax + 2 {
			b.Hand(append(b.Buffer(), spanOf("a")...), 1)
			synctest.Wait() // the first one is on its way
		}
		close(open)
		synctest.Wait()
		var spans []int
		for _, body := range b.line.bodies {
			spans = append(spans, len(body))
		}
		if !slices.Equal(spans, []int{1, batchBuffersMax, 2}) || b.queued.Load() != 0 {
			t.Errorf("%d spans in the requests, %d left", spans, b.queued.Load())
		}
	})
}

func TestTriesAgainWhatMayBeRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answers []answer
		times   string
		counts  string
	}{
		"as the collector says": {[]answer{{status: 429, after: "7"}, {status: 503, after: "20"}}, "2s 9s 29s", "0 0 0 1 0 2"},
		"not beyond our limit":  {[]answer{{status: 503, after: "3600"}}, "2s 2m2s", "0 0 0 1 0 1"},
		"at an instant":         {[]answer{{status: 503, after: "Sat, 01 Jan 2000 00:00:32 GMT"}}, "2s 32s", "0 0 0 1 0 1"},
		"not what was refused":  {[]answer{{status: 400}}, "2s", "0 1 0 0 1 0"},
		"not a redirect":        {[]answer{{status: 307}}, "2s", "0 1 0 0 1 0"},
		"not what is no method": {[]answer{{status: 500}}, "2s", "0 1 0 0 1 0"},
		"not what was rejected": {[]answer{{status: 200, body: otlptest.Partial(1)}}, "2s", "0 0 1 1 0 0"},
		"not more than we sent": {[]answer{{status: 200, body: otlptest.Partial(9)}}, "2s", "0 0 1 1 0 0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(Settings{}, c.answers...)
			defer b.Close(context.Background())
			b.gather("a")
			pass(5 * time.Minute)
			if b.line.times() != c.times || b.counts() != c.counts {
				t.Errorf("%s: sent at %s, counts %s", name, b.line.times(), b.counts())
			}
		})
	}
}

func TestBacksOffAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []answer
		for range triesMax {
			answers = append(answers, answer{})
		}
		b := newBench(Settings{}, answers...)
		defer b.Close(context.Background())
		b.gather("a")
		pass(10 * time.Minute)
		if len(b.line.sent) != triesMax || b.counts() != "0 1 0 0 1 5" {
			t.Fatalf("sent at %s, counts %s", b.line.times(), b.counts())
		}
		last := collectEvery
		for i, at := range b.line.sent[1:] {
			d, _ := time.ParseDuration(at)
			if pause := d - last; pause < backoffFirst<<i/2-time.Second || pause > backoffFirst<<i*3/2+time.Second {
				t.Errorf("a pause of %v before try %d", pause, i+2)
			}
			last = d
		}
		b.gather("b")
		pass(collectEvery)
		if got := b.reported(); !strings.Contains(got, "no connection") || !strings.HasSuffix(got, ", <nil>") || strings.Count(got, ", ") != 1 {
			t.Errorf("reports %q", got)
		}
	})
}

func TestReportsNothingOfWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Settings{Header: http.Header{"Authorization": {"Bearer hush"}}}, answer{status: 401, body: []byte("your Bearer hush is wrong")})
		defer b.Close(context.Background())
		b.gather("a")
		pass(collectEvery)
		if got := b.reported(); got != "the collector answered 401 Unauthorized" {
			t.Errorf("reports %q", got)
		}
	})
}

func TestDropsWhatTheQueueHasNoRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Settings{QueueBytes: 3 * BufferBytes, Timeout: time.Hour}, answer{hangs: true})
		for range 5 {
			b.Hand(append(b.Buffer(), spanOf("a")...), 10)
			synctest.Wait() // the first one is on its way
		}
		if b.counts() != "20 0 0 0 0 0" {
			t.Errorf("counts %s", b.counts())
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		b.Close(ctx) // one request hangs, and is cut off; what waits is tried, too
		if d := time.Since(b.line.began); d != time.Second {
			t.Errorf("closing has taken %v", d)
		}
		if b.queueFull.Value() != 20 || b.delivered.Value()+b.failed.Value() != 2 || b.queued.Load() != 0 {
			t.Errorf("counts %s, %d left", b.counts(), b.queued.Load())
		}
	})
}

func TestTheEndDoesNotWaitForAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Settings{}, answer{status: 503, after: "60"})
		b.gather("a")
		pass(collectEvery)
		b.gather("b")
		b.Close(context.Background())
		b.want(t, "2s 2s 2s", "0 0 0 2 0 1", "")
		b.Flush(context.Background()) // of no use, and no harm
	})
}

func TestWhatIsSwitchedOffIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Settings{})
		defer b.Close(context.Background())
		b.Apply(Settings{})
		b.gather("a")
		b.Flush(context.Background())
		b.want(t, "", "0 1 0 0 0 0", "")
	})
}

func TestSendsWhatACollectorWants(t *testing.T) {
	c := otlptest.New(t)
	c.Answer(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, c.URL+"/elsewhere", http.StatusTemporaryRedirect)
	})
	set := metric.NewSet(1)
	e := New(Hooks{Report: func(error) {}}, set)
	defer e.Close(t.Context())
	e.Apply(Settings{URL: c.URL + "/v1/traces", Version: "1.2.3", Gzip: true, Header: http.Header{"X-Key": {"k"}}})
	for range 2 {
		e.Hand(spanOf("a"), 1)
		e.Flush(t.Context())
	}
	got := c.Requests()
	if len(got) != 2 || len(c.Spans()) != 1 || e.failed.Value() != 1 {
		t.Fatalf("%d requests, %d spans, %d failed", len(got), len(c.Spans()), e.failed.Value())
	}
	if h := got[1]; h.Get("User-Agent") != "sluice/1.2.3" || h.Get("X-Key") != "k" || h.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", h)
	}
}
