// Package errlog is the error log: log/slog, without the two ways in which a log can hurt a proxy.
//
// A message that repeats is written burst times in each interval; the rest is counted, and the number is written with the next one or, if none comes, with
// whatever is logged next. So a flood of faulty clients fills no disk. Lines are written by the goroutine of a logfile.File: a loop that logs never waits
// for a disk or a terminal; lines that find no room are counted.
//
// Messages are constants; what varies goes into attributes, which must not hold what a client sent as it came, nor any secret.
package errlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"sluice/internal/observe/logfile"
	"sluice/internal/observe/metric"
)

// Limits of repeated messages.
const (
	burst     = 10               // how often one message is written in each interval
	interval  = 10 * time.Second // from the first time it is written
	differing = 1000             // how many messages are told apart; the others count as one
)

// A Log is the error log of the process.
type Log struct {
	*slog.Logger
	file  *logfile.File
	level *slog.LevelVar

	mu sync.Mutex
	at logfile.Place // nil: the writer of New; guarded by mu
}

// New returns a log that writes to out, which is not closed: as text, or as JSON for machines. Close ends it.
func New(out io.Writer, json bool, level slog.Level, set *metric.Set) *Log {
	l := &Log{level: new(slog.LevelVar)}
	l.level.Set(level)
	lost := set.Counter("sluice_error_log_dropped_lines_total", "Lines of the error log that were lost, because its reader did not keep up or a write failed.")
	l.file = logfile.OpenWriter(out, logfile.Hooks{
		Lost:      func(lines int) { lost.Add(0, int64(lines)) },
		Trouble:   func(err error) { l.Error("trouble with the file of this log", "error", err) },
		Recovered: func(lines int) { l.Warn("lines of this log were lost", "lost_lines", lines) },
	})
	w := &lineWriter{l.file, lost}
	options := &slog.HandlerOptions{Level: l.level}
	if json {
		l.Logger = slog.New(Limit(slog.NewJSONHandler(w, options)))
	} else {
		l.Logger = slog.New(Limit(slog.NewTextHandler(w, options)))
	}
	return l
}

// SetLevel changes from which level on messages are written.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Switch has the log go on at another place; that of now stays as it is. If it can't be opened, nothing changes. Messages that came before go to the old one, as far as it
// takes them within a moment.
func (l *Log) Switch(at logfile.Place) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at == l.at {
		return nil
	}
	if err := l.file.Switch(at); err != nil {
		return fmt.Errorf("log.file: %w", err)
	}
	l.at = at
	return nil
}

// Reopen opens the log's file again. If that fails, or the old one takes no bytes, that stays in use.
func (l *Log) Reopen() error { return l.file.Reopen() }

// Flush waits until all messages so far are written.
func (l *Log) Flush() error { return l.file.Flush() }

// Close writes what is left, as far as it is taken within some seconds. Messages that come later are lost.
func (l *Log) Close() error { return l.file.Close() }

// A lineWriter hands each line to a file's goroutine.
type lineWriter struct {
	file *logfile.File
	lost *metric.Counter
}

// Write implements io.Writer. It never fails: who logs could do nothing about it.
func (w *lineWriter) Write(p []byte) (int, error) {
	if !w.file.Hand(append(w.file.Buffer(), p...)) {
		w.lost.Add(0, 1)
	}
	return len(p), nil
}

// Limit returns a handler that passes records on to next, those that repeat only now and then.
func Limit(next slog.Handler) slog.Handler {
	return &handler{next, &gate{root: next, counts: map[message]*count{}}}
}

// A handler passes on what its gate lets through. Handlers made by With share one gate.
type handler struct {
	next slog.Handler
	gate *gate
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(a []slog.Attr) slog.Handler { return &handler{h.next.WithAttrs(a), h.gate} }

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.gate}
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	pass, held, others := h.gate.admit(message{r.Level, r.Message}, r.Time)
	for _, o := range others {
		h.gate.root.Handle(ctx, o)
	}
	if !pass {
		return nil
	}
	if held > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("held_back", held))
	}
	return h.next.Handle(ctx, r)
}

// A message is what tells repeated records.
type message struct {
	level slog.Level
	text  string
}

// A count is how often a message came in its present interval.
type count struct {
	began time.Time
	seen  int
	held  int // not written
}

// A gate counts messages. It takes the time from the records.
type gate struct {
	root slog.Handler

	mu     sync.Mutex
	counts map[message]*count // guarded by mu
	swept  time.Time          // guarded by mu
}

// admit says whether a message that came at now is to be written, how many like it were held back before, and what is to be said of other messages.
func (g *gate) admit(m message, now time.Time) (pass bool, held int, others []slog.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.counts[m]
	if c == nil && len(g.counts) >= differing {
		m = message{}
		c = g.counts[m]
	}
	switch {
	case c == nil:
		c = &count{began: now}
		g.counts[m] = c
	case now.Sub(c.began) >= interval:
		held = c.held
		*c = count{began: now}
	}
	c.seen++
	if pass = c.seen <= burst; !pass {
		c.held++
	}
	return pass, held, g.sweepLocked(now)
}

// sweepLocked forgets messages whose interval is over, and returns records about those held back. The caller must hold g.mu.
func (g *gate) sweepLocked(now time.Time) (others []slog.Record) {
	if now.Sub(g.swept) < interval {
		return nil
	}
	g.swept = now
	for m, c := range g.counts {
		if now.Sub(c.began) < interval {
			continue
		}
		delete(g.counts, m)
		if c.held > 0 {
			r := slog.NewRecord(now, m.level, m.text, 0)
			r.AddAttrs(slog.Int("held_back", c.held))
			others = append(others, r)
		}
	}
	return others
}
