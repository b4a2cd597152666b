// Package logfile writes log lines to a file without ever making the writer of a line wait.
//
// Who logs fills a buffer with whole lines and hands it over; a goroutine writes. In between is a bounded queue: when the disk does not keep up, Hand
// says no, and the caller drops its lines and counts them. Order is kept for each caller.
//
// Where lines end is an Output, which a Place opens: Disk is a file on disk, which it can rotate by itself; Standard is an open stream. Others, such as a syslog
// server, are in packages of their own.
package logfile

import (
	"bytes"
	"errors"
	"io"
	"time"

	"sluice/internal/buf"
)

// Limits of a File.
const (
	// BufferBytes is the size of the buffers that Buffer returns.
	BufferBytes = buf.Large
	// queueBuffers is how many full buffers wait for the writer before Hand says no: 4 MiB.
	queueBuffers = 64
	// collectEvery is how long a line may stay in memory while the disk keeps up.
	collectEvery = time.Second
	// closeWait is how long Close and Flush wait for a file that takes no bytes.
	closeWait = 5 * time.Second
	// moment is how long Switch and Reopen do, for which others may wait.
	moment = time.Second
	// calm is how long writes must have gone well before trouble is said to be over: a server that comes and goes is reported once.
	calm = 10 * time.Second
)

var (
	errClosed  = errors.New("the log is closed")
	errBusy    = errors.New("the log takes no bytes")
	errStalled = errors.New("the log takes no bytes: lines that waited are lost")
)

// A Place says where lines go. Places that are equal are the same one, so they must be comparable.
type Place interface {
	// Open opens it. trouble is told, by the goroutine that writes or one of its own, of what goes wrong without costing a line; it is never nil.
	Open(trouble func(error)) (Output, error)
}

// An Output is where lines end. It is used by one goroutine at a time.
type Output interface {
	// Write takes whole lines. It returns how many bytes it took, and an error if those are not all.
	io.Writer
	// Reopen opens it again, which makes a new file if the old one was renamed. If that fails, what was open stays in use.
	Reopen() error
	io.Closer
}

// Hooks is what a File asks of its owner. Each is called by the File's goroutine and may be nil.
type Hooks struct {
	// Collect hands over what the owner still gathers. It calls drain after each buffer, so that the queue has room for the next one.
	Collect func(drain func())
	// Lost is told of each failed write, and how many lines were lost in it.
	Lost func(lines int)
	// Failed is told of the first failed write of a series: the queue goes on, nobody else has to know.
	Failed func(err error)
	// Trouble is told of what went wrong without costing a line, also by other goroutines.
	Trouble func(err error)
	// Recovered is told when writes have gone well for a while after a failed one, and how many lines were lost in between.
	Recovered func(lost int)
}

func (h *Hooks) trouble(err error) {
	if h.Trouble != nil {
		h.Trouble(err)
	}
}

// A File is a log file and the goroutine that writes it. Its methods may be called from any goroutine.
type File struct {
	hooks Hooks
	full  chan []byte // handed over, not yet written
	free  chan []byte // empty buffers for reuse
	ask   chan *request
	hurry chan *request // those that have waited long enough for the output
	done  chan struct{} // closed when the goroutine has ended

	out  *outlet // owned by the goroutine
	torn bool    // the file ends within a line; owned by the goroutine

	failing bool      // Failed was told and Recovered was not yet; owned by the goroutine
	failed  time.Time // of the last failed write; owned by the goroutine
	lost    int       // lines since failing began; owned by the goroutine
}

// A request is something that the goroutine does between two writes.
type request struct {
	do      func() error
	hurries bool // it does not wait for long for the output
	last    bool // the goroutine ends after it
	done    bool // owned by the goroutine
	reply   chan error
}

// Open opens a place and starts the goroutine, which Close ends. A nil place is nowhere.
func Open(at Place, hooks Hooks) (*File, error) {
	out, err := open(at, hooks)
	if err != nil {
		return nil, err
	}
	return start(out, hooks), nil
}

// OpenWriter is Open for a writer that is there already, such as standard error. It is not closed.
func OpenWriter(out io.Writer, hooks Hooks) *File { return start(keep{out}, hooks) }

// keep is an Output that is neither opened nor closed here.
type keep struct{ io.Writer }

func (keep) Reopen() error { return nil }
func (keep) Close() error  { return nil }

func start(out Output, hooks Hooks) *File {
	f := &File{
		hooks: hooks,
		full:  make(chan []byte, queueBuffers),
		free:  make(chan []byte, queueBuffers),
		ask:   make(chan *request),
		hurry: make(chan *request),
		done:  make(chan struct{}),
		out:   newOutlet(out),
	}
	go f.run()
	return f
}

func open(at Place, hooks Hooks) (Output, error) {
	if at == nil {
		return keep{io.Discard}, nil
	}
	return at.Open(hooks.trouble)
}

// Buffer returns an empty buffer of BufferBytes. It becomes the File's again by Hand.
func (f *File) Buffer() []byte {
	select {
	case b := <-f.free:
		return b[:0]
	default:
		return make([]byte, 0, BufferBytes)
	}
}

// Hand gives b, whole lines, to be written. If the queue is full it says no, and b stays the caller's. It never waits.
//
// The queue is the one thing that loops share. Its lock is taken once for each buffer, some hundred lines, and held for an instant.
func (f *File) Hand(b []byte) bool {
	select {
	case f.full <- b:
		return true
	default:
		return false
	}
}

// Flush writes all that was handed over or can be collected.
func (f *File) Flush() error {
	return f.request(&request{do: func() error { f.flush(); return nil }}, closeWait)
}

// Reopen opens the output again: Output.Reopen. Lines made before go to the old file. An output that takes no bytes is not waited for: what was open stays in use.
func (f *File) Reopen() error {
	return f.request(&request{do: func() error {
		f.flush()
		_, err := f.out.do(job{do: f.out.out.Reopen}, f.hurry)
		return err
	}}, moment)
}

// Switch goes on at another place; nil is nowhere. If that can't be opened, the old one stays in use. Lines made before go to the old one; what that does not take
// within a moment is lost.
func (f *File) Switch(at Place) error {
	out, err := open(at, f.hooks)
	if err != nil {
		return err
	}
	err = f.request(&request{hurries: true, do: func() error {
		f.flush()
		if err := f.out.close(f.hurry); err != nil && !errors.Is(err, errStalled) {
			f.hooks.trouble(err)
		}
		f.out, f.torn = newOutlet(out), false
		f.settle()
		return nil
	}}, moment)
	if err != nil {
		_ = out.Close()
	}
	return err
}

// Close writes what is left, closes the output and ends the goroutine. After closeWait it waits no longer: the rest is lost. What is handed over afterwards is
// never written.
func (f *File) Close() error {
	return f.request(&request{hurries: true, last: true, do: func() error {
		f.flush()
		return f.out.close(f.hurry)
	}}, closeWait)
}

// request has r done by the goroutine and returns its error. One that hurries has the goroutine leave an output that takes no bytes for so long; others give up.
func (f *File) request(r *request, patience time.Duration) error {
	r.reply = make(chan error, 1)
	enough := time.NewTimer(patience)
	defer enough.Stop()
	ask := f.ask
	var hurry chan<- *request
	for {
		select {
		case ask <- r:
			ask = nil
		case err := <-r.reply:
			return err
		case <-f.done:
			select {
			case err := <-r.reply:
				return err
			default:
				return errClosed
			}
		case <-enough.C:
			if !r.hurries {
				return errBusy
			}
			hurry = f.hurry
		case hurry <- r:
		}
	}
}

func (f *File) run() {
	defer close(f.done)
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-f.full:
			f.write(b)
		case <-tick.C:
			f.flush()
		case r := <-f.ask:
			err := r.do()
			r.done = true
			r.reply <- err
			if r.last {
				return
			}
		}
	}
}

// flush writes the queue and what the owner gathers.
func (f *File) flush() {
	f.drain()
	if f.hooks.Collect != nil {
		f.hooks.Collect(f.drain)
	}
	f.drain()
}

func (f *File) drain() {
	for {
		select {
		case b := <-f.full:
			f.write(b)
		default:
			return
		}
	}
}

// write writes b and takes it back. After a write that failed in the middle of a line the next one begins a line of its own.
func (f *File) write(b []byte) {
	if f.torn {
		if _, err := f.out.do(job{lines: []byte{'\n'}}, f.hurry); err == nil {
			f.torn = false
		}
	}
	n, err := f.out.do(job{lines: b}, f.hurry)
	if n > 0 {
		f.torn = b[n-1] != '\n'
	}
	f.note(err, b[n:])
	if f.out.left || cap(b) != BufferBytes {
		return // the one who hangs may still read it; or it has grown by a long line: keeping it would keep its size for ever
	}
	select {
	case f.free <- b:
	default:
	}
}

// note keeps book of a write that left rest. A series of failed ones is reported at its begin and its end.
func (f *File) note(err error, rest []byte) {
	if err == nil {
		if f.failing && time.Since(f.failed) >= calm {
			f.settle()
		}
		return
	}
	lines := bytes.Count(rest, []byte{'\n'})
	f.failed = time.Now()
	f.lost += lines
	if f.hooks.Lost != nil {
		f.hooks.Lost(lines)
	}
	if !f.failing && f.hooks.Failed != nil {
		f.hooks.Failed(err)
	}
	f.failing = true
}

// settle ends a series of failed writes.
func (f *File) settle() {
	if f.failing && f.hooks.Recovered != nil {
		f.hooks.Recovered(f.lost)
	}
	f.failing, f.lost = false, 0
}
