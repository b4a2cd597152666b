package admin

import (
	"slices"
	"sync"
)

// Kinds of events.
const (
	KindConfig   = "config"   // a config came into force, was refused, is on trial: an Outcome with what was done
	KindEndpoint = "endpoint" // an operator changed a server's share: an Endpoint
	KindProcess  = "process"  // the process is about to end
	KindStatus   = "status"   // a Status, again and again
	KindFigures  = "figures"  // Figures of the time since the last ones
	KindAccess   = "access"   // a line of the access log
	KindDropped  = "dropped"  // how many events or lines the reader was too slow for
)

// listenersMax is how many can read events at once.
const listenersMax = 32

// eventQueue is how many events wait for a slow reader; further ones are dropped and counted.
const eventQueue = 64

// An Event is something that happened.
type Event struct {
	Kind string
	Data any // what it is in JSON
}

// A hub hands events to all who listen. Nobody who publishes waits for them.
type hub struct {
	mu        sync.Mutex
	listeners []*ear // guarded by mu
}

// An ear is one who listens.
type ear struct {
	events  chan Event
	dropped int // since the last event that fitted; guarded by the hub's mu
}

// publish hands e to all who listen.
func (h *hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.listeners {
		select {
		case l.events <- e:
		default:
			l.dropped++
		}
	}
}

// listen returns a new ear, nil if there are too many.
func (h *hub) listen() *ear {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= listenersMax {
		return nil
	}
	l := &ear{events: make(chan Event, eventQueue)}
	h.listeners = append(h.listeners, l)
	return l
}

// leave ends l.
func (h *hub) leave(l *ear) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = slices.DeleteFunc(h.listeners, func(other *ear) bool { return other == l })
}

// missed returns how many events l was too slow for since it was asked last.
func (h *hub) missed(l *ear) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, l.dropped = l.dropped, 0
	return n
}
