// Package accesslog writes one line of JSON for each exchange, also for those that were refused before any filter saw them.
//
// A line is made by the loop that ran the exchange, into a buffer of that loop, without allocation. Full buffers, and each second the others, go through a
// bounded queue to the goroutine of a logfile.File. When the disk does not keep up, lines are dropped and counted; the data path never waits.
//
// Lines hold no credentials: of the fields only User-Agent, Referer and X-Request-ID are written, and in all that came from the client secrets are replaced
// by "REDACTED": values of sensitive names, user information in URLs, tokens known by their shape (README.md says which). Nothing that a client sends can
// end a line or a string, or act on a terminal.
package accesslog

import (
	"fmt"
	"sync"
	"sync/atomic"

	"sluice/internal/exchange"
	"sluice/internal/observe/logfile"
	"sluice/internal/observe/metric"
)

// Settings say where lines go and what is hidden in them.
type Settings struct {
	File string   // path, "-" for standard output, empty for no access log
	Hide []string // names whose values are hidden besides the built-in ones, in any case
	// Failed is told of failed writes, by the log's goroutine; nil ignores them. Lost lines are counted anyway. It is read by New only.
	Failed func(error)
}

// A Log is one access log: a service beside the way of a request. Record may be called by all loops at once.
type Log struct {
	file   *logfile.File
	on     atomic.Bool
	hide   atomic.Pointer[nameSet]
	shards []shard
	mask   int

	lines, queueFull, failed *metric.Counter

	mu       sync.Mutex // guards settings, and keeps Apply and Close apart
	settings Settings
}

// A shard is what one loop gathers. Its lock is the loop's own but for an instant each second, when the log's goroutine takes the buffer.
type shard struct {
	mu    sync.Mutex
	buf   []byte // whole lines; nil if there are none; guarded by mu
	lines int64  // lines in buf; guarded by mu
	stamp stamp  // guarded by mu
	_     [128]byte
}

// New opens the log for so many loops. Its counters are in set.
func New(s Settings, loops int, set *metric.Set) (*Log, error) {
	n := 1
	for n < loops {
		n *= 2
	}
	const help = "Lines of the access log that were lost, because the disk did not keep up (queue) or a write failed (write)."
	l := &Log{
		shards:    make([]shard, n),
		mask:      n - 1,
		settings:  s,
		lines:     set.Counter("sluice_access_log_lines_total", "Lines made for the access log, lost ones too."),
		queueFull: set.Counter("sluice_access_log_dropped_lines_total", help, metric.Label{Name: "reason", Value: "queue"}),
		failed:    set.Counter("sluice_access_log_dropped_lines_total", help, metric.Label{Name: "reason", Value: "write"}),
	}
	opened := make(chan struct{})
	file, err := logfile.Open(s.File, logfile.Hooks{
		Collect: func(drain func()) { <-opened; l.collect(drain) },
		Failed:  func(err error, lines int) { l.writeFailed(s.Failed, err, lines) },
	})
	if err != nil {
		return nil, fmt.Errorf("log.access.file: %w", err)
	}
	l.file = file
	close(opened)
	l.use(s)
	return l, nil
}

// use takes over what is not the file's matter.
func (l *Log) use(s Settings) {
	hide := newNameSet(s.Hide)
	l.hide.Store(&hide)
	l.on.Store(s.File != "")
	l.settings = s
}

// Apply goes over to other settings. If the new file can't be opened, nothing changes. Lines made before go to the old file.
func (l *Log) Apply(s Settings) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.File != l.settings.File {
		if err := l.file.Switch(s.File); err != nil {
			return fmt.Errorf("log.access.file: %w", err)
		}
	}
	l.use(s)
	return nil
}

// Reopen opens the file again, after it was renamed by a program that rotates logs.
func (l *Log) Reopen() error { return l.file.Reopen() }

// Flush writes all lines made so far.
func (l *Log) Flush() error { return l.file.Flush() }

// Close writes all lines made so far and closes the file. Exchanges that end later are not logged.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on.Store(false)
	return l.file.Close()
}

// Record makes the line of x: for a filter's Finish, and for codecs that refuse a request before it is an exchange. Of x it needs the Driver; what else is
// filled is written. It waits for nothing and allocates nothing in steady state.
func (l *Log) Record(x *exchange.Exchange) {
	if !l.on.Load() {
		return
	}
	id := x.Driver.ID()
	s := &l.shards[id&l.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buf == nil {
		s.buf = l.file.Buffer()
	}
	s.buf = appendLine(s.buf, x, *l.hide.Load(), &s.stamp)
	s.lines++
	l.lines.Add(id, 1)
	if cap(s.buf)-len(s.buf) < lineBytesMax && !l.handLocked(s) {
		l.queueFull.Add(id, s.lines)
		s.buf, s.lines = s.buf[:0], 0
	}
}

// handLocked gives s's buffer to the writer, if it has room. The caller must hold s.mu.
func (l *Log) handLocked(s *shard) bool {
	if len(s.buf) > 0 && !l.file.Hand(s.buf) {
		return false
	}
	s.buf, s.lines = nil, 0
	return true
}

// collect hands over what all loops gather. Under the shard's lock, so that lines of one loop stay in order.
func (l *Log) collect(drain func()) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		l.handLocked(s)
		s.mu.Unlock()
		drain()
	}
}

func (l *Log) writeFailed(report func(error), err error, lines int) {
	l.failed.Add(0, int64(lines))
	if report != nil {
		report(fmt.Errorf("access log: %d lines lost: %w", lines, err))
	}
}

// A Filter is the feature "log" of a route: it records each exchange that the route took.
type Filter struct{ log *Log }

// NewFilter returns the filter that writes to l. A route whose log is off has none.
func NewFilter(l *Log) *Filter { return &Filter{l} }

// Name implements filter.Filter.
func (f *Filter) Name() string { return "log" }

// Finish implements filter.Finisher.
func (f *Filter) Finish(x *exchange.Exchange) { f.log.Record(x) }
