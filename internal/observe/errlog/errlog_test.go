package errlog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/observe/logfile"
	"sluice/internal/observe/metric"
)

// A tape is a limited handler over a buffer, whose records come at times of the test's choice.
type tape struct {
	bytes.Buffer
	handler slog.Handler
	now     time.Time
}

func newTape() *tape {
	t := &tape{now: time.Unix(1_700_000_000, 0)}
	t.handler = Limit(slog.NewTextHandler(&t.Buffer, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	return t
}

func (t *tape) log(text string) {
	t.handler.Handle(context.Background(), slog.NewRecord(t.now, slog.LevelWarn, text, 0))
}

func TestAFloodOfOneMessageIsCounted(t *testing.T) {
	tape := newTape()
	for range 1000 {
		tape.log("bad client")
	}
	tape.log("something else")
	if n := strings.Count(tape.String(), "bad client"); n != burst {
		t.Errorf("written %d times", n)
	}
	if !strings.Contains(tape.String(), "something else") {
		t.Error("another message was held back")
	}
	tape.Reset()
	tape.now = tape.now.Add(interval)
	tape.log("bad client")
	if got := tape.String(); got != "level=WARN msg=\"bad client\" held_back=990\n" {
		t.Errorf("after the interval: %s", got)
	}
}

func TestWhatWasHeldBackIsToldByTheNextMessage(t *testing.T) {
	tape := newTape()
	for range burst + 5 {
		tape.log("bad client")
	}
	tape.Reset()
	tape.now = tape.now.Add(2 * interval)
	tape.log("something else")
	if got := tape.String(); got != "level=WARN msg=\"bad client\" held_back=5\nlevel=WARN msg=\"something else\"\n" {
		t.Error(got)
	}
}

func TestMessagesThatAllDifferAreBoundedToo(t *testing.T) {
	tape := newTape()
	for i := range 5 * differing {
		tape.log(fmt.Sprint("message ", i))
	}
	if n := strings.Count(tape.String(), "\n"); n != differing+burst {
		t.Errorf("%d lines", n)
	}
	if n := len(tape.handler.(*handler).gate.counts); n > differing+1 {
		t.Errorf("%d messages are remembered", n)
	}
}

func TestLoggersMadeByWithShareTheCount(t *testing.T) {
	tape := newTape()
	for i := range 2 * burst {
		h := tape.handler.WithAttrs([]slog.Attr{slog.Int("client", i)}).WithGroup("g")
		h.Handle(context.Background(), slog.NewRecord(tape.now, slog.LevelWarn, "bad client", 0))
	}
	if n := strings.Count(tape.String(), "client="); n != burst {
		t.Errorf("written %d times", n)
	}
}

func TestLevelFormatAndWriter(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, true, slog.LevelWarn, metric.NewSet(1))
	l.Info("not yet")
	l.SetLevel(slog.LevelInfo)
	l.Info("now", "text", "a\nb\x1b")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Info("too late")
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"msg":"now","text":"a\nb\u001b"`) {
		t.Error(got)
	}
}

// stuck is a reader of the log that takes nothing until it is released.
type stuck struct{ release chan struct{} }

func (w stuck) Write(p []byte) (int, error) {
	<-w.release
	return len(p), nil
}

func TestAStuckReaderHoldsNobodyUp(t *testing.T) {
	w := stuck{make(chan struct{})}
	set := metric.NewSet(1)
	l := New(w, false, slog.LevelInfo, set)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { l.Info(fmt.Sprint("message ", i)) })
	}
	wg.Wait()
	close(w.release)
	l.Close()
	if set.Counter("sluice_error_log_dropped_lines_total", "").Value() == 0 {
		t.Error("what was lost is not counted")
	}
}

// A place is one of a test.
type place struct{ io.Writer }

func (p place) Open(func(error)) (logfile.Output, error) { return p, nil }
func (place) Reopen() error                              { return nil }
func (place) Close() error                               { return nil }

func TestAStuckReaderKeepsNobodyFromTheNextPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := stuck{make(chan struct{})}
		defer close(w.release)
		set := metric.NewSet(1)
		l := New(w, false, slog.LevelInfo, set)
		l.Info("to the stuck one")
		synctest.Wait()
		if err := l.Reopen(); err == nil {
			t.Error("a stuck place was opened again")
		}
		var out bytes.Buffer
		if err := l.Switch(place{&out}); err != nil {
			t.Fatal(err)
		}
		l.Info("to the next one")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.Contains(got, "stuck one") || !strings.Contains(got, "lost_lines=1") || !strings.Contains(got, "next one") {
			t.Error(got)
		}
		if n := set.Counter("sluice_error_log_dropped_lines_total", "").Value(); n != 1 {
			t.Errorf("%d lines are counted as lost", n)
		}
	})
}

// faulty takes no line.
type faulty struct{}

func (faulty) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestLinesOfFailedWritesAreCounted(t *testing.T) {
	set := metric.NewSet(1)
	l := New(faulty{}, false, slog.LevelInfo, set)
	l.Info("one")
	l.Info("two")
	l.Close()
	if n := set.Counter("sluice_error_log_dropped_lines_total", "").Value(); n != 2 {
		t.Errorf("%d lines are counted as lost", n)
	}
}

// placesMade counts how often it is opened.
type placesMade struct{ n *int }

func (p placesMade) Open(func(error)) (logfile.Output, error) { *p.n++; return place{io.Discard}, nil }

func TestThePlaceOfNowIsNotOpenedTwice(t *testing.T) {
	n := 0
	l := New(io.Discard, false, slog.LevelInfo, metric.NewSet(1))
	defer l.Close()
	for range 2 {
		if err := l.Switch(placesMade{&n}); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("opened %d times", n)
	}
}
