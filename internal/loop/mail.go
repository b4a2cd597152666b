package loop

import "sync"

// A mailbox is how other goroutines reach a loop.
type mailbox struct {
	mu     sync.Mutex
	in     []letter // guarded by mu
	closed bool     // guarded by mu
	out    []letter // owned by the loop: the slice of the last time, used again
}

// A letter is something that the loop shall do. deliver runs on the loop, outside any task.
type letter interface{ deliver(l *Loop) }

type call func()

func (c call) deliver(*Loop) { c() }

// Post runs fn on the loop, outside any task: it must not wait. Any goroutine may call it. Once the loop has stopped it does nothing and answers false.
func (l *Loop) Post(fn func()) bool { return l.post(call(fn)) }

func (l *Loop) post(m letter) bool {
	first, ok := l.mail.put(m)
	if first && l.parked.Load() {
		l.sys.Wake()
	}
	return ok
}

// put adds x, unless the box is closed. first says that it was empty: who put the first letter wakes the loop, the others rely on that.
func (m *mailbox) put(x letter) (first, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, false
	}
	m.in = append(m.in, x)
	return len(m.in) == 1, true
}

func (m *mailbox) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.in) == 0
}

// take returns what has come since the last time, valid until the next call.
func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.in, m.out = m.out[:0], m.in
	return m.out
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}

func (l *Loop) takeMail() {
	letters := l.mail.take()
	for i, m := range letters {
		letters[i] = nil
		m.deliver(l)
	}
}
