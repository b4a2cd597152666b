package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"sluice/internal/exchange"
)

// followersMax is how many followers a log has at most: each costs every exchange a little.
const followersMax = 16

// A Follower gets the line of every exchange as it is made: in JSON, redacted as the log is, also where the log is off, sampled or in another format. It
// never holds a request up: one that does not keep up loses lines, which are counted. Its methods may be called from any goroutine.
type Follower struct {
	log     *Log
	lines   chan []byte
	dropped atomic.Uint64
	ended   chan struct{}
	end     sync.Once
}

// Follow returns a new follower for which so many lines wait at most, at least one. The caller must Close it. It is an error if there are too many, or if the
// log is closed.
func (l *Log) Follow(queue int) (*Follower, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*Follower
	if p := l.follow.Load(); p != nil {
		all = slices.Clone(*p)
	}
	switch {
	case l.closed:
		return nil, errors.New("the access log is closed")
	case len(all) >= followersMax:
		return nil, fmt.Errorf("%d follow the access log already, which is the limit", followersMax)
	}
	f := &Follower{log: l, lines: make(chan []byte, max(queue, 1)), ended: make(chan struct{})}
	all = append(all, f)
	l.follow.Store(&all)
	return f, nil
}

// Lines is where lines come, each an object without line break. A line is shared with other followers: it must not be changed. The channel is never closed;
// Ended says that no more will come.
func (f *Follower) Lines() <-chan []byte { return f.lines }

// Ended is closed by Close, and when the log is closed.
func (f *Follower) Ended() <-chan struct{} { return f.ended }

// Dropped is how many lines were lost so far because the queue was full.
func (f *Follower) Dropped() uint64 { return f.dropped.Load() }

// Close ends f. It may be called twice.
func (f *Follower) Close() {
	l := f.log
	l.mu.Lock()
	defer l.mu.Unlock()
	f.end.Do(func() { close(f.ended) })
	if p := l.follow.Load(); p != nil {
		rest := slices.DeleteFunc(slices.Clone(*p), func(other *Follower) bool { return other == f })
		if l.follow.Store(&rest); len(rest) == 0 {
			l.follow.Store(nil)
		}
	}
}

// endFollowersLocked ends all followers. The caller must hold l.mu.
func (l *Log) endFollowersLocked() {
	if p := l.follow.Load(); p != nil {
		for _, f := range *p {
			f.end.Do(func() { close(f.ended) })
		}
	}
	l.follow.Store(nil)
}

// tell gives the followers the line of x. It is made once, and only if one of them has room.
func (l *Log) tell(followers []*Follower, s *shard, x *exchange.Exchange) {
	var line []byte
	for _, f := range followers {
		if len(f.lines) < cap(f.lines) && line == nil {
			line = l.lineFor(s, x)
		}
		if line == nil {
			f.dropped.Add(1)
			continue
		}
		select {
		case f.lines <- line:
		default:
			f.dropped.Add(1)
		}
	}
}

// lineFor makes a line that its readers may keep.
func (l *Log) lineFor(s *shard, x *exchange.Exchange) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := l.told.Load()
	s.told = st.line(s.told[:0], x, st, &s.stamp)
	return bytes.Clone(bytes.TrimSuffix(s.told, []byte{'\n'}))
}
