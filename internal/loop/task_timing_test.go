package loop

import "testing"

// A task gives way and is resumed: what the engine adds to a wait, beside the system calls.
func BenchmarkResume(b *testing.B) {
	l, _ := byHand(b)
	l.Go(func() {
		for l.current.suspend() == nil {
		}
	})
	l.runDue()
	t := l.tasks[0]
	b.ReportAllocs()
	for b.Loop() {
		l.schedule(t)
		l.runDue()
	}
}

// A connection's handler is started and returns, as for each request.
func BenchmarkServe(b *testing.B) {
	l, _ := byHand(b)
	c := open(b, l, 7)
	c.Handle(quietHandler{})
	c.quiet = true
	b.ReportAllocs()
	for b.Loop() {
		c.onEvent(c.tag, In)
		l.runDue()
		c.ready = 0
	}
}

type quietHandler struct{}

func (quietHandler) Serve() {}
