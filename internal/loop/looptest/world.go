// Package looptest is a simulated machine for loops: a clock, a network and pipes, with everything that happens decided by a seed.
//
// A World runs goroutines one at a time: loops, whose System gives way in Poll, and actors, the clients and origins of a test, which give way where they
// read, write or sleep. Its clock moves only when none of them can go on. So whole loops run in no time, and a run can be repeated by its seed.
//
// Sockets behave as those of Linux do under edge-triggered epoll: an event comes at a new edge only, a read takes all that is there, a write takes what
// the buffer has room for, bytes arrive in pieces and late, descriptors are used again at once, closing with unread bytes resets. Only tests import it.
package looptest

import (
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// ErrStuck is answered to the test's own goroutine when it waits for something that can never happen: all others wait, too, and no time is set for anything.
var ErrStuck = errors.New("looptest: nothing will ever happen again")

// switchesMax is how often goroutines may give way to each other without the clock moving, before a World panics: they turn in circles.
const switchesMax = 2_000_000

// A World is a simulated machine. The goroutine that makes it is the test's own, and runs first. Its methods are for goroutines of the world only, but
// what is said to be for others.
type World struct {
	mu       sync.Mutex
	rand     *rand.Rand
	epoch    time.Time
	now      time.Duration // since epoch
	procs    []*proc       // in the order of their birth; all that live
	test     *proc
	running  *proc // nil while all of them wait and one is outside
	outside  int   // how many are outside
	actors   int   // how many that Go has started live
	stuck    bool
	switches int // since the clock moved
	digest   uint64

	files     []file // by descriptor, from firstFile; nil where there is none
	limit     int    // how many descriptors there may be
	fault     func(call string, fd int) error
	flights   []flight
	listeners map[string]*listener
	dark      map[string]bool
	port      uint16
	systems   int
}

// A proc is a goroutine of the world.
type proc struct {
	turn  chan struct{} // holds a token when it is its turn
	ready func() bool   // what it waits for; nil: it can go on
	by    time.Duration // it goes on then at the latest; 0 is never
}

// New makes a world from a seed.
func New(seed uint64) *World {
	w := &World{
		rand: rand.New(rand.NewPCG(seed, 0x51ce)), epoch: time.Unix(1_700_000_000, 0).UTC(), limit: 1 << 16, port: 40000,
		listeners: map[string]*listener{}, dark: map[string]bool{},
	}
	w.test = &proc{turn: make(chan struct{}, 1)}
	w.procs = []*proc{w.test}
	w.running = w.test
	return w
}

// Now implements loop.Clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epoch.Add(w.now)
}

// Digest is a sum of all that has happened so far: two runs with equal ones went the same way.
func (w *World) Digest() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.digest
}

// note adds to the digest. The caller must hold w.mu.
func (w *World) note(what string, numbers ...int) {
	const prime = 1099511628211 // FNV
	d := (w.digest ^ uint64(w.now)) * prime
	for i := range len(what) {
		d = (d ^ uint64(what[i])) * prime
	}
	for _, n := range numbers {
		d = (d ^ uint64(n)) * prime
	}
	w.digest = d
}

// misuse ends the process: a panic would be one of a task, which is logged and survived.
func misuse(what string) {
	go panic("looptest: " + what + "\n" + string(debug.Stack()))
	select {}
}

// Go starts an actor.
func (w *World) Go(fn func()) {
	w.mu.Lock()
	w.actors++
	w.mu.Unlock()
	w.start(func() {
		defer func() {
			w.mu.Lock()
			w.actors--
			w.mu.Unlock()
		}()
		fn()
	})
}

// start adds a goroutine. Any goroutine may call it.
func (w *World) start(fn func()) {
	p := &proc{turn: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.procs = append(w.procs, p)
	go func() {
		<-p.turn
		defer w.exit(p) // also after a Goexit
		fn()
	}()
	w.kick()
}

func (w *World) exit(p *proc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, q := range w.procs {
		if p == q {
			w.procs = append(w.procs[:i], w.procs[i+1:]...)
			break
		}
	}
	w.next()
}

// kick lets somebody run if nobody does: something has come from outside. The caller must hold w.mu.
func (w *World) kick() {
	if w.running == nil {
		w.next()
	}
}

// Wait waits until all actors have ended. It is for the test's own goroutine; ErrStuck says that they never will.
func (w *World) Wait() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pause(func() bool { return w.actors == 0 }, 0)
}

// Sleep waits for d of the world's time.
func (w *World) Sleep(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.pause(never, w.now+max(d, 1))
}

// Until waits until ready is true or d has passed; it tells which. ready may look at what belongs to others, but must not call the world.
func (w *World) Until(ready func() bool, d time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.pause(ready, w.now+d)
	return ready()
}

func never() bool { return false }

// Outside runs fn, which blocks on something that is not of this world (Loop.Stop); others go on meanwhile, but the clock does not.
func (w *World) Outside(fn func()) {
	w.mu.Lock()
	p := w.running
	p.ready = never
	w.outside++
	w.next()
	w.mu.Unlock()
	fn()
	w.mu.Lock()
	w.outside--
	p.ready = nil
	w.kick()
	w.mu.Unlock()
	<-p.turn
}

// pause lets others run until ready is true or the instant by has come; 0 is never. The caller must hold w.mu, which others take meanwhile.
func (w *World) pause(ready func() bool, by time.Duration) error {
	p := w.running
	p.ready, p.by = ready, by
	w.next()
	w.mu.Unlock()
	<-p.turn
	w.mu.Lock()
	if p == w.test && w.stuck {
		w.stuck = false
		return ErrStuck
	}
	return nil
}

// next chooses who runs. The caller must hold w.mu, and have noted what it waits for itself.
func (w *World) next() {
	for {
		w.arrive()
		if p := w.choose(); p != nil {
			w.resume(p)
			return
		}
		if w.outside > 0 {
			w.running = nil
			return
		}
		if !w.advance() {
			w.stuck = true
			w.resume(w.test)
			return
		}
	}
}

func (w *World) resume(p *proc) {
	if w.switches++; w.switches > switchesMax {
		misuse("goroutines turn in circles")
	}
	p.ready, p.by = nil, 0
	w.running = p
	p.turn <- struct{}{}
}

// choose returns one of those that can go on, nil if none can.
func (w *World) choose() *proc {
	var chosen *proc
	n := 0
	for _, p := range w.procs {
		if p.ready == nil || p.by != 0 && p.by <= w.now || p.ready() {
			if n++; w.rand.IntN(n) == 0 {
				chosen = p
			}
		}
	}
	return chosen
}

// advance moves the clock to the next instant at which something happens. It is false if there is none.
func (w *World) advance() bool {
	at := w.nextFlight()
	for _, p := range w.procs {
		if p.by != 0 && (at == 0 || p.by < at) {
			at = p.by
		}
	}
	if at == 0 {
		return false
	}
	w.now = max(w.now, at)
	w.switches = 0
	return true
}
