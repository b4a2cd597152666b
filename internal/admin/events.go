package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const eventsType = "text/event-stream"

// Limits of streams of events.
const (
	accessQueue   = 4096             // lines of the access log that wait for a slow reader
	silenceMax    = 15 * time.Second // then a comment is sent, so that a dead connection is noticed
	eventTimeout  = 10 * time.Second // for a reader to take an event
	everyStandard = time.Second
)

// Bounds of how often status and figures come.
const (
	EveryMin = 100 * time.Millisecond
	EveryMax = time.Minute
)

// A Follower gets the lines of the access log, as JSON without line breaks, as long as it is open.
type Follower interface {
	Lines() <-chan []byte   // never closed
	Ended() <-chan struct{} // closed when no more lines come
	Dropped() uint64        // lines that did not fit, so far
	Close()
}

// Publish tells all who read events of that kind. It does not wait.
func (srv *Server) Publish(kind string, data any) { srv.hub.publish(Event{kind, data}) }

// A stream is one reader of events.
type stream struct {
	kinds    []string
	every    time.Duration
	wanted   *sieve
	out      http.ResponseWriter
	control  *http.ResponseController
	figures  func() Figures // nil if they were not asked for
	follower Follower       // nil if lines of the access log were not asked for
	lost     uint64         // how many lines the reader has been told that it missed
	lastSent time.Time
}

// events answers with events until the client or the server ends it.
func (srv *Server) events(w http.ResponseWriter, q *http.Request) {
	s, err := newStream(w, q)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	ear := srv.hub.listen()
	if ear == nil {
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("%d readers of events are there already", listenersMax))
		return
	}
	defer srv.hub.leave(ear)
	if slices.Contains(s.kinds, KindAccess) {
		if s.follower, err = srv.sources.Follow(accessQueue); err != nil {
			writeError(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		defer s.follower.Close()
	}
	if slices.Contains(s.kinds, KindFigures) {
		s.figures = srv.sources.Figures()
	}
	s.begin()
	if err := srv.stream(q, s, ear); err != nil && !errors.Is(err, errEnd) {
		srv.sources.Log.Debug("a reader of events has gone", "error", err)
	}
}

// errEnd says that the client or the server ends a stream.
var errEnd = errors.New("end")

// stream sends what happens.
func (srv *Server) stream(q *http.Request, s *stream, ear *ear) error {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var lines <-chan []byte
	var ended <-chan struct{}
	if s.follower != nil {
		lines, ended = s.follower.Lines(), s.follower.Ended()
	}
	if err := srv.tick(s); err != nil { // the first one at once
		return err
	}
	for {
		var err error
		select {
		case <-q.Context().Done(): // the client has gone, or the listener closes
			return errEnd
		case e := <-ear.events:
			err = s.sendWanted(e)
			if n := srv.hub.missed(ear); n > 0 && err == nil {
				err = s.send(KindDropped, map[string]int{"events": n})
			}
		case line := <-lines:
			err = s.sendAccess(line)
		case <-ended: // the log closes
			return s.sendRest(lines)
		case <-tick.C:
			err = srv.tick(s)
		}
		if err != nil {
			return err
		}
	}
}

// sendAccess sends a line of the access log if it was asked for, and how many were lost before it.
func (s *stream) sendAccess(line []byte) error {
	if s.wanted.takes(line) {
		if err := s.sendLine(KindAccess, line); err != nil {
			return err
		}
	}
	n := s.follower.Dropped()
	if n == s.lost {
		return nil
	}
	lost := n - s.lost
	s.lost = n
	return s.send(KindDropped, map[string]uint64{"lines": lost})
}

// sendRest sends the lines that wait, after which the stream ends.
func (s *stream) sendRest(lines <-chan []byte) error {
	for {
		select {
		case line := <-lines:
			if err := s.sendAccess(line); err != nil {
				return err
			}
		default:
			return errEnd
		}
	}
}

// tick sends what comes again and again.
func (srv *Server) tick(s *stream) error {
	if slices.Contains(s.kinds, KindStatus) {
		if err := s.send(KindStatus, listed(srv.sources.Status())); err != nil {
			return err
		}
	}
	if s.figures != nil {
		return s.send(KindFigures, s.figures())
	}
	if time.Since(s.lastSent) < silenceMax {
		return nil
	}
	return s.write([]byte(": still here\n\n"))
}

func newStream(w http.ResponseWriter, q *http.Request) (*stream, error) {
	s := &stream{kinds: []string{KindConfig, KindEndpoint, KindProcess}, every: everyStandard, out: w, control: http.NewResponseController(w)}
	query := q.URL.Query()
	if kinds := query.Get("kind"); kinds != "" {
		s.kinds = strings.Split(kinds, ",")
	}
	known := []string{KindConfig, KindEndpoint, KindProcess, KindStatus, KindFigures, KindAccess}
	for _, kind := range s.kinds {
		if !slices.Contains(known, kind) {
			return nil, fmt.Errorf("%q is not a kind of events: %s", kind, strings.Join(known, ", "))
		}
	}
	if text := query.Get("every"); text != "" {
		every, err := time.ParseDuration(text)
		if err != nil || every < EveryMin || every > EveryMax {
			return nil, fmt.Errorf("every is a time from %v to %v, not %q", EveryMin, EveryMax, text)
		}
		s.every = every
	}
	var err error
	s.wanted, err = newSieve(query)
	return s, err
}

// begin sends the head. From now on there are no errors, and no deadline but that of each event.
func (s *stream) begin() {
	_ = s.control.SetReadDeadline(time.Time{})
	h := s.out.Header()
	h.Set("Content-Type", eventsType)
	h.Set("Cache-Control", "no-store")
	s.out.WriteHeader(http.StatusOK)
	_ = s.write([]byte("retry: 2000\n\n"))
}

// sendWanted sends e if its kind was asked for.
func (s *stream) sendWanted(e Event) error {
	if !slices.Contains(s.kinds, e.Kind) {
		return nil
	}
	return s.send(e.Kind, e.Data)
}

func (s *stream) send(kind string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.sendLine(kind, text)
}

// sendLine sends an event whose data is one line.
func (s *stream) sendLine(kind string, data []byte) error {
	text := make([]byte, 0, len(kind)+len(data)+20)
	text = append(append(text, "event: "...), kind...)
	text = append(append(text, "\ndata: "...), data...)
	return s.write(append(text, "\n\n"...))
}

func (s *stream) write(text []byte) error {
	s.lastSent = time.Now()
	_ = s.control.SetWriteDeadline(s.lastSent.Add(eventTimeout))
	if _, err := s.out.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
