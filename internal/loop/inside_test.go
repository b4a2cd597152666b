package loop

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A dummy is a System on which nothing happens by itself. A test turns its loop by hand.
type dummy struct {
	System
	events  []Event
	timeout time.Duration // of the last Poll
	closed  map[int]int
}

func (d *dummy) Poll(events []Event, timeout time.Duration) int {
	d.timeout = timeout
	n := copy(events, d.events)
	d.events = nil
	return n
}
func (d *dummy) Watch(int, uint32, bool) syscall.Errno       { return 0 }
func (d *dummy) Close(fd int, _ bool)                        { d.closed[fd]++ }
func (d *dummy) Pending(int) bool                            { return false }
func (d *dummy) Recv(int, []byte) (int, syscall.Errno)       { return -1, syscall.EAGAIN }
func (d *dummy) Send(int, []byte) (int, syscall.Errno)       { return -1, syscall.EAGAIN }
func (d *dummy) Connect(string, string) (int, syscall.Errno) { return 60, 0 }
func (d *dummy) Start(func())                                {}
func (d *dummy) Shut()                                       {}
func (d *dummy) Wake()                                       {}

// byHand returns a loop that only turns when the test has it turn.
func byHand(t testing.TB) (*Loop, *dummy) {
	d := &dummy{closed: map[int]int{}}
	l := New(0, d, SystemClock{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(l.shut)
	return l, d
}

func open(t testing.TB, l *Loop, fd int) *conn {
	t.Helper()
	c, errno := l.newConn(fd, netip.AddrPort{})
	if errno != 0 {
		t.Fatal(errno)
	}
	return c
}

func TestEventsOfAnEarlierConnectionReachNobody(t *testing.T) {
	l, sys := byHand(t)
	old := open(t, l, 7)
	tag := old.tag
	_ = old.Close()
	young := open(t, l, 7)
	sys.events = []Event{{Fd: 7, Tag: tag, Ready: In | Out | Broken}, {Fd: 700, Tag: 1, Ready: In}, {Fd: 8, Tag: 1, Ready: In}}
	l.turn()
	if young.ready != 0 {
		t.Error("an event of the earlier connection: ", young.ready)
	}
	sys.events = []Event{{Fd: 7, Tag: young.tag, Ready: Out}}
	l.turn()
	if young.ready != Out {
		t.Error("its own event: ", young.ready)
	}
}

func TestAClosedConnectionIsReachableFromNowhere(t *testing.T) {
	l, sys := byHand(t)
	c, other := open(t, l, 7), open(t, l, 8)
	other.Watch(c)
	l.Go(func() {
		c.ReadBy(l.Now() + time.Hour)
		_, _ = c.Read(make([]byte, 1))
		c.ReadBy(l.Now() + time.Minute)
	})
	l.turn()
	if l.timers.count != 1 {
		t.Error("no deadline is set")
	}
	l.Go(func() {
		_ = c.Close()
		_ = c.Close()
		c.ReadBy(l.Now() + time.Minute)
		c.WriteBy(l.Now() + time.Minute)
		c.Quiet(true)
	})
	l.turn()
	l.turn()
	if l.timers.count != 0 || l.sources[7] != nil || other.watch.on != nil || sys.closed[7] != 1 {
		t.Error(l.timers.count, l.sources[7], other.watch.on, sys.closed)
	}
}

func TestTasksAreUsedAgain(t *testing.T) {
	l, _ := byHand(t)
	atOnce := func(n int) { // so many jobs wait at the same time
		for range n {
			l.Go(func() { _ = l.current.suspend() })
		}
		l.turn()
		if got := l.Stat().Tasks; got != int64(n) {
			t.Errorf("%d tasks are at work, not %d", got, n)
		}
		for _, task := range l.tasks {
			l.schedule(task)
		}
		l.turn()
	}
	for range 100 {
		atOnce(3)
	}
	if len(l.tasks) != 3 || l.idleTasks != 3 {
		t.Error(len(l.tasks), " tasks were made, idle: ", l.idleTasks)
	}
	atOnce(idleTasksMax + 100)
	if len(l.tasks) != idleTasksMax || l.idleTasks != idleTasksMax {
		t.Error(len(l.tasks), " tasks are left, idle: ", l.idleTasks)
	}
	for i, task := range l.tasks {
		if task.index != i {
			t.Fatal("the list of tasks is in disorder")
		}
	}
}

// One after the other, they run on one stack, which the processor has at hand.
func TestJobsThatDoNotWaitShareATask(t *testing.T) {
	l, _ := byHand(t)
	ran := 0
	for range 3 {
		l.Go(func() { ran++ })
	}
	l.turn()
	if ran != 3 || len(l.tasks) != 1 {
		t.Error(ran, " ran in ", len(l.tasks), " tasks")
	}
}

// A wait that ends early looks at its reason again, whoever resumed it.
func TestNobodyIsDeceivedByASpuriousResume(t *testing.T) {
	l, _ := byHand(t)
	s := l.NewSignal()
	ended := ""
	for fd, wait := range []func(c *conn){
		func(c *conn) { _, _ = c.Read(make([]byte, 1)) },
		func(c *conn) { _ = c.Await() },
		func(c *conn) { _, _ = c.Write(make([]byte, 1)) },
		func(c *conn) { _, _, _ = c.Splice(open(t, l, 50), 1) },
		func(c *conn) { _, _ = l.Dial("tcp", "10.0.0.1:1", 0, nil) },
		func(c *conn) { _ = s.Wait(0) },
		func(c *conn) { _ = l.Offload(func() {}) },
	} {
		c := open(t, l, 10+fd)
		l.Go(func() {
			wait(c)
			ended += fmt.Sprint(fd, " ")
		})
	}
	for range 3 {
		l.turn()
		for _, task := range l.tasks {
			l.schedule(task)
		}
	}
	if ended != "" {
		t.Error("these did not wait: ", ended)
	}
}

func TestAConnectionIsSmall(t *testing.T) {
	if size := reflect.TypeFor[conn]().Size(); size > 176 {
		t.Errorf("%d bytes for each idle connection, 176 are the next size of the allocator", size)
	}
	if size := reflect.TypeFor[task]().Size(); size > 128 {
		t.Errorf("%d bytes for each task", size)
	}
}

// A letter that comes after the loop has looked for mail, by somebody who saw that the loop was not parked yet.
func TestALetterBeforeParkingKeepsTheLoopAwake(t *testing.T) {
	l, sys := byHand(t)
	l.poll()
	if sys.timeout >= 0 {
		t.Error("a loop with nothing to do waits for ", sys.timeout)
	}
	l.mail.put(call(func() {}))
	l.poll()
	if sys.timeout != 0 {
		t.Error("with mail it waits for ", sys.timeout)
	}
	l.takeMail()
	l.stopping.Store(true)
	l.poll()
	if sys.timeout != 0 {
		t.Error("when it is to stop it waits for ", sys.timeout)
	}
}

func TestMailThatWasAcceptedIsDeliveredAtTheEnd(t *testing.T) {
	d := &dummy{closed: map[int]int{}}
	l := New(0, d, SystemClock{}, slog.Default())
	g := &Group{Loops: []*Loop{l, New(1, d, SystemClock{}, slog.Default())}}
	a := &acceptor{loop: g.Loops[1], group: g, accept: &Accept{Handler: func(Conn) Handler { return nil }}}
	g.Loops[1].conns.Store(10) // more than enough: the next one is handed over
	a.place(5, netip.AddrPort{})
	if l.Conns() != 1 {
		t.Error("it was not handed over")
	}
	l.shut()
	if d.closed[5] != 1 || l.Conns() != 0 {
		t.Error("its descriptor is left open")
	}
	a.place(6, netip.AddrPort{}) // nobody takes it any more
	if d.closed[6] != 1 || l.Conns() != 0 {
		t.Error("the next one's is left open")
	}
	g.Loops[1].shut()
}

// Wake comes before the deadline of the park is set, which undoes the one of Wake.
func TestAWakeEndsTheNextPollToo(t *testing.T) {
	eachWaiting(t, func(t *testing.T, sys System) {
		defer sys.Shut()
		events := make([]Event, 10)
		for range 3 {
			for _, timeout := range []time.Duration{-1, time.Hour, 2 * time.Hour, time.Hour} {
				sys.Wake()
				sys.Poll(events, timeout) // for ever, if the Wake was lost
			}
			began := time.Now()
			for range 10 { // it may return early now and then
				sys.Poll(events, 10*time.Millisecond)
			}
			if took := time.Since(began); took < 30*time.Millisecond {
				t.Error("it did not wait: ", took)
			}
		}
	})
}

// eachWaiting runs a test for each way in which a loop may wait.
func eachWaiting(t *testing.T, test func(t *testing.T, sys System)) {
	if runtime.GOOS != "linux" {
		t.Skip("there are no loops here")
	}
	for name, w := range map[string]Waiting{"netpoller": WaitNetpoller, "blocking": WaitBlocking} {
		t.Run(name, func(t *testing.T) {
			sys, err := NewSystem(w)
			if err != nil {
				t.Fatal(err)
			}
			test(t, sys)
		})
	}
}

// Letters from many goroutines, while the loop parks and wakes: each is delivered, and soon.
func TestNoLetterIsLost(t *testing.T) {
	eachWaiting(t, func(t *testing.T, sys System) {
		l := New(0, sys, SystemClock{}, slog.Default())
		go l.Run()
		defer l.Stop()
		l.Post(func() { // deadlines near and far, so that parking sets them and moves them
			l.Go(func() {
				s := l.NewSignal()
				for i := 0; s.Wait(l.Now()+time.Duration(1+i%7)*3*time.Millisecond) != ErrStopped; i++ {
				}
			})
		})
		var senders sync.WaitGroup
		var worst atomic.Int64
		for range 8 {
			senders.Go(func() {
				back := make(chan struct{})
				for range 2000 {
					sent := time.Now()
					l.Post(func() { back <- struct{}{} })
					<-back
					if took := int64(time.Since(sent)); took > worst.Load() {
						worst.Store(took)
					}
				}
			})
		}
		senders.Wait()
		if took := time.Duration(worst.Load()); took > 2*time.Second { // a lost one would wait for another letter or for ever
			t.Error("a letter took ", took)
		}
	})
}

func TestOneLetterAloneWakesTheLoop(t *testing.T) {
	eachWaiting(t, func(t *testing.T, sys System) {
		l := New(0, sys, SystemClock{}, slog.Default())
		go l.Run()
		defer l.Stop()
		back := make(chan struct{})
		for i := range 3000 {
			for !l.parked.Load() {
				runtime.Gosched()
			}
			if i%3 == 0 { // let it sleep
				<-time.After(time.Duration(i%5) * 10 * time.Microsecond)
			}
			l.Post(func() { close(back) })
			select {
			case <-back:
			case <-time.After(10 * time.Second):
				t.Fatal("the loop sleeps on, letter ", i)
			}
			back = make(chan struct{})
		}
	})
}

// A quiet text is what a logger wrote, for many goroutines.
type quietText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (q *quietText) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.Write(p)
}

func (q *quietText) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.String()
}

func TestTheWatchdogNamesWhoBlocks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are no loops here")
	}
	for name, block := range map[string]func(free *atomic.Bool, c chan struct{}){
		"blockedOnAChannel": blockedOnAChannel, "blockedOnALock": blockedOnALock, "busyForTooLong": busyForTooLong,
	} {
		t.Run(name, func(t *testing.T) {
			text := &quietText{}
			log := slog.New(slog.NewTextHandler(text, nil))
			var loops []*Loop
			for id := range 2 {
				sys, err := NewSystem(WaitNetpoller)
				if err != nil {
					t.Fatal(err)
				}
				l := New(id, sys, SystemClock{}, log)
				loops = append(loops, l)
				go l.Run()
				defer l.Stop()
			}
			dog := NewWatchdog(loops, 20*time.Millisecond, log)
			defer dog.Stop()
			var free atomic.Bool
			c := make(chan struct{})
			loops[1].Post(func() { loops[1].Go(func() { block(&free, c) }) })
			for deadline := time.Now().Add(10 * time.Second); loops[1].Stat().Stalls == 0 || text.String() == ""; <-time.After(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nobody noticed")
				}
			}
			answered := make(chan struct{})
			loops[0].Post(func() { close(answered) })
			<-answered // the other loop goes on
			<-time.After(100 * time.Millisecond)
			if loops[0].Stat().Stalled || !loops[1].Stat().Stalled {
				t.Error("the wrong loop is said to stand still")
			}
			free.Store(true)
			close(c)
			for deadline := time.Now().Add(10 * time.Second); loops[1].Stat().Stalled; <-time.After(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nobody noticed that it turns again")
				}
			}
			got := text.String()
			if !strings.Contains(got, "loop."+name) || !strings.Contains(got, "loop=1") || strings.Count(got, ").root(") != 1 || strings.Contains(got, ").Run(") {
				t.Error("logged: ", got)
			}
			if n := strings.Count(got, "stands still"); n != 1 {
				t.Error("logged so many times: ", n)
			}
		})
	}
}

func blockedOnAChannel(_ *atomic.Bool, c chan struct{}) { <-c }

func blockedOnALock(_ *atomic.Bool, c chan struct{}) {
	var mu sync.Mutex
	mu.Lock()
	go func() {
		<-c
		mu.Unlock()
	}()
	mu.Lock()
}

func busyForTooLong(free *atomic.Bool, _ chan struct{}) {
	for !free.Load() {
		runtime.Gosched()
	}
}

func TestTheWatchdogIsSilentAboutLoopsThatAreIdleBusyOrStopped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are no loops here")
	}
	text := &quietText{}
	log := slog.New(slog.NewTextHandler(text, nil))
	var loops []*Loop
	for id := range 3 {
		sys, err := NewSystem(WaitNetpoller)
		if err != nil {
			t.Fatal(err)
		}
		loops = append(loops, New(id, sys, SystemClock{}, log))
		go loops[id].Run()
	}
	const limit = 200 * time.Millisecond
	dog := NewWatchdog(loops, limit, log)
	busy := loops[1]
	busy.Post(func() {
		busy.Go(func() {
			for s := busy.NewSignal(); ; s.Notify() {
				if s.Wait(busy.Now()+time.Millisecond) == ErrStopped {
					return
				}
			}
		})
	})
	loops[2].Stop()
	<-time.After(5 * limit)
	loops[0].Post(func() {}) // wakes just when the watchdog may look
	<-time.After(2 * limit)
	dog.Stop()
	loops[0].Stop()
	loops[1].Stop()
	if got := text.String(); got != "" {
		t.Error("logged: ", got)
	}
}

// exploding is a System whose Recv panics.
type exploding struct{ *dummy }

func (exploding) Recv(int, []byte) (int, syscall.Errno) { panic("planted") }

// A fault on the loop itself costs one tunnel.
func TestAPanicOfARelayEndsItsTunnel(t *testing.T) {
	l, sys := byHand(t)
	l.sys = exploding{sys}
	a, b := open(t, l, 7), open(t, l, 8)
	var fromA, fromB Flow
	l.Go(func() { fromA, fromB = Relay(l, NewStream(a, nil, 0), NewStream(b, nil, 0)) })
	l.turn()
	sys.events = []Event{{Fd: 7, Tag: a.tag, Ready: In}}
	l.turn()
	l.turn()
	if fromA.Err == nil || fromB.Err == nil || l.panics.Load() != 1 || a.relay != nil {
		t.Error(fromA, fromB, l.panics.Load())
	}
}

func TestATunnelNeedsItsSocketsForItself(t *testing.T) {
	l, _ := byHand(t)
	a, b := open(t, l, 7), open(t, l, 8)
	l.Go(func() { _, _ = b.Read(make([]byte, 1)) })
	l.Go(func() { Relay(l, NewStream(a, nil, 0), NewStream(b, nil, 0)) })
	l.turn()
	if l.panics.Load() != 1 {
		t.Error("a socket that another task reads from became a tunnel's")
	}
}
