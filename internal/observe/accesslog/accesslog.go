// Package accesslog writes one line for each exchange, also for those that were refused before any filter saw them: as JSON, or in one of the NCSA formats.
//
// A line is made by the loop that ran the exchange, into a buffer of that loop, without allocation. Full buffers, and each second the others, go through a
// bounded queue to the goroutine of a logfile.File. When the disk does not keep up, lines are dropped and counted; the data path never waits. Which
// exchanges of a route have a line is said by its Config. A Follower gets the lines as they are made.
//
// Lines hold no credentials: of the fields only User-Agent, Referer and X-Request-ID are written, and in all that came from the client secrets are replaced
// by "REDACTED": values of sensitive names, user information in URLs, tokens known by their shape (README.md says which). Nothing that a client sends can
// end a line or a string, or act on a terminal.
package accesslog

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"sluice/internal/exchange"
	"sluice/internal/observe/logfile"
	"sluice/internal/observe/metric"
)

// Settings say where lines go and what is in them.
type Settings struct {
	To        logfile.Place // nil: there is no access log, only followers
	Format    Format
	Addresses Addresses
	HashKey   string   // for Addresses Hashed: the same key gives the same hashes after a restart; empty is one that only this process knows
	Hide      []string // names whose values are hidden besides the built-in ones, in any case
}

// Reports are told how writing goes, by the log's goroutine. Nil ones are not.
type Reports struct {
	// Failed is told of the first of a series of failed writes.
	Failed func(error)
	// Trouble is told of what went wrong without costing a line, also by other goroutines.
	Trouble func(error)
	// Recovered is told when the series is over, and how many lines were lost in it.
	Recovered func(lost int)
}

// A Log is one access log: a service beside the way of a request. Record may be called by all loops at once.
type Log struct {
	file    *logfile.File
	on      atomic.Bool
	written atomic.Pointer[style]       // of the file's lines
	told    atomic.Pointer[style]       // of the followers' lines: the same, in JSON
	follow  atomic.Pointer[[]*Follower] // nil if nobody follows
	shards  []shard
	mask    int
	random  [sha256.Size]byte // the key for hashes if the settings have none

	lines, queueFull, failed *metric.Counter

	mu       sync.Mutex // guards settings and what follow points to, and keeps Apply and Close apart
	settings Settings
	closed   bool // guarded by mu
}

// A shard is what one loop gathers. Its lock is the loop's own but for an instant each second, when the log's goroutine takes the buffer.
type shard struct {
	mu    sync.Mutex
	buf   []byte // whole lines; nil if there are none; guarded by mu
	lines int64  // lines in buf; guarded by mu
	stamp stamp  // guarded by mu
	told  []byte // where a follower's line is made; guarded by mu
	dice  dice
	_     [128]byte
}

// New opens the log for so many loops. Its counters are in set.
func New(s Settings, reports Reports, loops int, set *metric.Set) (*Log, error) {
	n := 1
	for n < loops {
		n *= 2
	}
	const help = "Lines of the access log that were lost, because the disk or server did not keep up (queue) or a write failed (write)."
	l := &Log{
		shards:    make([]shard, n),
		mask:      n - 1,
		random:    hashKey(""),
		lines:     set.Counter("sluice_access_log_lines_total", "Lines made for the access log, lost ones too."),
		queueFull: set.Counter("sluice_access_log_dropped_lines_total", help, metric.Label{Name: "reason", Value: "queue"}),
		failed:    set.Counter("sluice_access_log_dropped_lines_total", help, metric.Label{Name: "reason", Value: "write"}),
	}
	for i := range l.shards {
		l.shards[i].dice.state.Store(rand.Uint64())
	}
	opened := make(chan struct{})
	file, err := logfile.Open(s.To, logfile.Hooks{
		Collect: func(drain func()) { <-opened; l.collect(drain) },
		Lost:    func(lines int) { l.failed.Add(0, int64(lines)) },
		Failed:  reports.Failed, Recovered: reports.Recovered,
	})
	if err != nil {
		return nil, fmt.Errorf("log.access.file: %w", err)
	}
	l.file = file
	close(opened)
	l.use(s)
	l.settings = s
	return l, nil
}

// use takes over what is not the file's matter.
func (l *Log) use(s Settings) {
	key := l.random
	if s.HashKey != "" {
		key = hashKey(s.HashKey)
	}
	l.written.Store(newStyle(s, key))
	s.Format = JSON
	l.told.Store(newStyle(s, key))
	l.on.Store(s.To != nil)
}

// Apply goes over to other settings. If the new place can't be opened, nothing changes. Lines made before go to the old one.
func (l *Log) Apply(s Settings) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.To != l.settings.To {
		if err := l.file.Switch(s.To); err != nil {
			return fmt.Errorf("log.access.file: %w", err)
		}
	}
	l.use(s)
	l.settings = s
	return nil
}

// Reopen opens the file again, after it was renamed by a program that rotates logs.
func (l *Log) Reopen() error { return l.file.Reopen() }

// Flush writes all lines made so far.
func (l *Log) Flush() error { return l.file.Flush() }

// Close writes all lines made so far, closes the file and ends the followers. Exchanges that end later are not logged.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on.Store(false)
	l.closed = true
	l.endFollowersLocked()
	return l.file.Close()
}

// Record makes the line of x: for codecs that refuse a request before it is an exchange. Of x it needs the Driver; what else is filled is written. It waits
// for nothing and allocates nothing in steady state.
func (l *Log) Record(x *exchange.Exchange) { l.record(x, nil) }

// record is Record if the rule says so; a nil rule always does. Followers get the line in any case.
func (l *Log) record(x *exchange.Exchange, r *rule) {
	id := x.Driver.ID()
	s := &l.shards[id&l.mask]
	if followers := l.follow.Load(); followers != nil {
		l.tell(*followers, s, x)
	}
	if !l.on.Load() || r != nil && !r.takes(x, &s.dice) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buf == nil {
		s.buf = l.file.Buffer()
	}
	st := l.written.Load()
	s.buf = st.line(s.buf, x, st, &s.stamp)
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

// A Filter is the feature "log" of a route: it records each exchange that the route took.
type Filter struct {
	log  *Log
	rule *rule // nil: all
}

// NewFilter returns the filter of a route that writes to l what c says.
func NewFilter(l *Log, c Config) *Filter { return &Filter{l, c.compile()} }

// NewSilentFilter returns the filter of a route whose log is off: only followers see its exchanges.
func NewSilentFilter(l *Log) *Filter { return &Filter{l, &rule{never: true}} }

// Name implements filter.Filter.
func (f *Filter) Name() string { return Name }

// Finish implements filter.Finisher.
func (f *Filter) Finish(x *exchange.Exchange) { f.log.record(x, f.rule) }
