// Package resolve knows the addresses of endpoints' names, which change: it looks them up again and again.
//
// A Resolver is a service: it has a goroutine, is told of the names in use, and is closed at the end. upstream/dial asks it: Lookup reads what is known and never
// waits; the first answer of a name is awaited by Resolve, through the driver's Offload. A failed look-up keeps the last good answer for a while.
package resolve

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A LookupFunc returns the addresses of a name, in any order. (*net.Resolver).LookupNetIP with network "ip" is one.
type LookupFunc func(ctx context.Context, name string) ([]netip.Addr, error)

// ResolverSettings are the times and limits of a Resolver.
type ResolverSettings struct {
	// Every is how long an answer is used before the name is looked up again, give or take a tenth; at least a second.
	Every time.Duration
	// Timeout bounds one look-up.
	Timeout time.Duration
	// KeepFor is how long the last good answer is used while look-ups fail, counted from when it was got.
	KeepFor time.Duration
}

// DefaultResolverSettings returns the settings of a config that says nothing about them.
func DefaultResolverSettings() ResolverSettings {
	return ResolverSettings{Every: 10 * time.Second, Timeout: 5 * time.Second, KeepFor: 10 * time.Minute}
}

const (
	// retryAfter is how soon a name is looked up again after a failure.
	retryAfter = time.Second
	// lookupsMax is how many names are looked up at a time in the background.
	lookupsMax = 8
)

// ErrNotLookedUp is answered by Lookup for a name that has no answer yet: offload Resolve.
var ErrNotLookedUp = errors.New("the name has not been looked up yet")

var errNoAddress = errors.New("the name has no address")

// A Resolver knows the addresses of names. Its methods may be called from any goroutine.
type Resolver struct {
	lookup LookupFunc
	report func(name string, err error)
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wake   chan struct{} // something is due earlier than the goroutine knows
	ended  chan struct{}

	slots   chan struct{}  // holds a token for each look-up in the background
	running sync.WaitGroup // those look-ups; the goroutine adds to it

	names    atomic.Pointer[map[string]*entry] // the map never changes; it is replaced under mu
	mu       sync.Mutex
	settings ResolverSettings // guarded by mu
}

// An entry is what is known of one name.
type entry struct {
	answer atomic.Pointer[answer] // nil before the first look-up has ended
	busy   chan struct{}          // guarded by Resolver.mu; closed when the look-up under way ends, nil if there is none
	due    time.Time              // guarded by Resolver.mu; when to look it up again
	used   bool                   // guarded by Resolver.mu; the config names it, or else it was only asked for: then it is not looked up again
}

// An answer is the outcome of look-ups. It never changes.
type answer struct {
	addrs   []netip.Addr // sorted, each once; empty if err is not nil
	err     error
	got     time.Time // when addrs were got
	failing bool      // look-ups have failed since
}

// NewResolver starts a resolver that knows no names. report may be nil; else it is told of a name's first failure in a row (err), of the moment when its last good
// answer is given up (err), and of the first success afterwards (nil). It is called from any goroutine and must not block.
func NewResolver(lookup LookupFunc, s ResolverSettings, report func(name string, err error)) *Resolver {
	if report == nil {
		report = func(string, error) {}
	}
	r := &Resolver{lookup: lookup, report: report, wake: make(chan struct{}, 1), ended: make(chan struct{}), slots: make(chan struct{}, lookupsMax), settings: s}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.names.Store(&map[string]*entry{})
	go r.run()
	return r
}

// Lookup returns the addresses of name as they are known now, sorted; they must not be written to. It never waits. ErrNotLookedUp asks for Resolve; any other
// error is that of a look-up, which is tried again in the background. BenchmarkLookup.
func (r *Resolver) Lookup(name string) ([]netip.Addr, error) {
	if e := (*r.names.Load())[name]; e != nil {
		if a := e.answer.Load(); a != nil {
			return a.addrs, a.err
		}
	}
	return nil, ErrNotLookedUp
}

// Resolve is Lookup that waits for the first answer, Timeout at most. However many ask, a name is looked up once. It blocks: tasks call it through Offload.
func (r *Resolver) Resolve(name string) ([]netip.Addr, error) {
	e := r.entryOf(name)
	for {
		if a := e.answer.Load(); a != nil {
			return a.addrs, a.err
		}
		if busy := r.claim(e); busy != nil {
			<-busy
			continue
		}
		r.lookUp(name, e)
	}
}

// Apply takes over the names in use and the settings. Names that are not in use any more are forgotten; new ones are looked up at once, in the background. Who still
// asks for a forgotten one, an exchange that began before, gets an answer, and that is all.
func (r *Resolver) Apply(names []string, s ResolverSettings) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settings = s
	old, used := *r.names.Load(), make(map[string]*entry, len(names))
	for _, name := range names {
		e := old[name]
		if e == nil {
			e = new(entry)
		}
		e.used = true
		used[name] = e
	}
	r.names.Store(&used)
	r.notify()
}

// Close ends the resolver. Look-ups under way are cancelled; answers stay as they are.
func (r *Resolver) Close() {
	r.cancel()
	<-r.ended
}

// entryOf returns the entry of name, a new one if there is none.
func (r *Resolver) entryOf(name string) *entry {
	if e := (*r.names.Load())[name]; e != nil {
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.names.Load()
	if e := old[name]; e != nil {
		return e
	}
	e := new(entry)
	names := maps.Clone(old)
	names[name] = e
	r.names.Store(&names)
	return e
}

// claim makes the caller the one who looks e up, and returns nil; or it returns what will be closed when another one has done so.
func (r *Resolver) claim(e *entry) (busy chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.busy != nil {
		return e.busy
	}
	e.busy = make(chan struct{})
	return nil
}

// lookUp looks name up. The caller must have claimed e.
func (r *Resolver) lookUp(name string, e *entry) {
	r.mu.Lock()
	s := r.settings
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, s.Timeout)
	addrs, err := r.lookup(ctx, name)
	cancel()
	if err == nil && len(addrs) == 0 {
		err = errNoAddress
	}
	r.settle(name, e, addrs, err, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	e.due = time.Now().Add(pause(s.Every, err))
	close(e.busy)
	e.busy = nil
	r.notify()
}

// settle makes the outcome of a look-up the answer of e: a failure keeps the last good one for a while.
func (r *Resolver) settle(name string, e *entry, addrs []netip.Addr, err error, s ResolverSettings) {
	now, old := time.Now(), e.answer.Load()
	failed := old != nil && (old.failing || old.err != nil)
	switch {
	case err == nil:
		e.answer.Store(&answer{addrs: sorted(addrs), got: now})
		if failed {
			r.report(name, nil)
		}
	case r.ctx.Err() != nil && old != nil: // the resolver ends
	case old != nil && old.err == nil && now.Sub(old.got) < s.KeepFor:
		if !failed {
			e.answer.Store(&answer{addrs: old.addrs, got: old.got, failing: true})
			r.report(name, err)
		}
	default:
		e.answer.Store(&answer{err: err})
		if old == nil || old.err == nil {
			r.report(name, err)
		}
	}
}

// sorted returns addrs in order, each once, IPv4-mapped ones as IPv4.
func sorted(addrs []netip.Addr) []netip.Addr {
	kept := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		kept = append(kept, a.Unmap())
	}
	slices.SortFunc(kept, netip.Addr.Compare)
	return slices.Compact(kept)
}

// pause returns how long to wait until the next look-up. Names that were looked up together drift apart, so that the name server sees no bursts.
func pause(every time.Duration, err error) time.Duration {
	every = max(every, time.Second)
	if err != nil {
		every = min(every, retryAfter)
	}
	return every - every/10 + rand.N(every/5)
}

// notify wakes the goroutine.
func (r *Resolver) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run looks names up when they are due, until Close.
func (r *Resolver) run() {
	defer close(r.ended)
	defer r.running.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for r.ctx.Err() == nil {
		timer.Reset(r.refresh())
		select {
		case <-timer.C:
		case <-r.wake:
		case <-r.ctx.Done():
		}
	}
}

// refresh begins to look up what is due, as far as there is room, and returns how long to wait for the next. It does not wait for answers: one name that is slow
// does not hold up the others.
func (r *Resolver) refresh() time.Duration {
	for name, e := range *r.names.Load() {
		if !r.isDue(e) {
			continue
		}
		select {
		case r.slots <- struct{}{}:
		default:
			return time.Hour // the next look-up that ends wakes the goroutine
		}
		if r.claim(e) != nil {
			<-r.slots
			continue
		}
		r.running.Go(func() {
			r.lookUp(name, e)
			<-r.slots
			r.notify()
		})
	}
	return r.untilNext()
}

func (r *Resolver) isDue(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.used && e.busy == nil && !e.due.After(time.Now())
}

// untilNext returns how long it is until a name is due. One that is being looked up for Resolve is due when that has ended, and then the goroutine is woken.
func (r *Resolver) untilNext() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := time.Hour
	for _, e := range *r.names.Load() {
		if e.used && e.busy == nil {
			wait = min(wait, time.Until(e.due))
		}
	}
	return max(wait, 0)
}
