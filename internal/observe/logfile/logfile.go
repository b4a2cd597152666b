// Package logfile writes log lines to a file without ever making the writer of a line wait.
//
// Who logs fills a buffer with whole lines and hands it over; one goroutine writes. In between is a bounded queue: when the disk does not keep up, Hand
// says no, and the caller drops its lines and counts them. Order is kept for each caller.
//
// The file is opened for appending with mode 0640 and can be opened again, for programs that rotate logs by renaming. "-" is standard output, and an empty
// path is nowhere.
package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
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
	// closeWait is how long Close waits for a file that takes no bytes.
	closeWait = 5 * time.Second
)

var (
	errClosed  = errors.New("the log is closed")
	errStalled = errors.New("the log takes no bytes: lines that waited are lost")
)

// Hooks is what a File asks of its owner. Each is called by the File's goroutine and may be nil.
type Hooks struct {
	// Collect hands over what the owner still gathers. It calls drain after each buffer, so that the queue has room for the next one.
	Collect func(drain func())
	// Failed is told of each failed write, and how many lines were lost in it.
	Failed func(err error, lines int)
}

// A File is a log file and the goroutine that writes it. Its methods may be called from any goroutine.
type File struct {
	hooks Hooks
	full  chan []byte // handed over, not yet written
	free  chan []byte // empty buffers for reuse
	ask   chan request
	done  chan struct{} // closed when the goroutine has ended

	path string    // owned by the goroutine
	out  io.Writer // owned by the goroutine
	torn bool      // the file ends within a line; owned by the goroutine
}

// A request is something that the goroutine does between two writes.
type request struct {
	do    func() error
	last  bool // the goroutine ends after it
	reply chan error
}

// Open opens the file at path and starts its goroutine, which Close ends.
func Open(path string, hooks Hooks) (*File, error) {
	out, err := open(path)
	if err != nil {
		return nil, err
	}
	return start(out, path, hooks), nil
}

// OpenWriter is Open for a writer that is there already, such as standard error. It is not closed.
func OpenWriter(out io.Writer, hooks Hooks) *File { return start(keep{out}, "", hooks) }

// keep hides that a writer can be closed.
type keep struct{ io.Writer }

func start(out io.Writer, path string, hooks Hooks) *File {
	f := &File{
		hooks: hooks,
		full:  make(chan []byte, queueBuffers),
		free:  make(chan []byte, queueBuffers),
		ask:   make(chan request),
		done:  make(chan struct{}),
		path:  path,
		out:   out,
	}
	go f.run()
	return f
}

func open(path string) (io.Writer, error) {
	switch path {
	case "":
		return io.Discard, nil
	case "-":
		return os.Stdout, nil
	}
	// O_NONBLOCK: opening a named pipe that nobody reads is an error, and not a wait without end. Regular files do not care.
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
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
func (f *File) Flush() error { return f.request(false, func() error { f.flush(); return nil }) }

// Reopen opens the file at its path again, which makes a new one if the old one was renamed. If that fails, the old one stays in use.
func (f *File) Reopen() error {
	return f.request(false, func() error { return f.replace(f.path) })
}

// Switch goes on in the file at path. If that can't be opened, the old one stays in use.
func (f *File) Switch(path string) error {
	return f.request(false, func() error { return f.replace(path) })
}

// Close writes what is left, closes the file and ends the goroutine. It gives up after closeWait. What is handed over afterwards is never written.
func (f *File) Close() error {
	return f.request(true, func() error {
		f.flush()
		return f.closeFile()
	})
}

// request has do done by the goroutine and returns its error.
func (f *File) request(last bool, do func() error) error {
	r := request{do, last, make(chan error, 1)}
	giveUp := time.NewTimer(closeWait)
	defer giveUp.Stop()
	select {
	case f.ask <- r:
	case <-f.done:
		return errClosed
	case <-giveUp.C:
		return errStalled
	}
	select {
	case err := <-r.reply:
		return err
	case <-giveUp.C:
		return errStalled
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
			r.reply <- r.do()
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
		if _, err := f.out.Write([]byte{'\n'}); err == nil {
			f.torn = false
		}
	}
	n, err := f.out.Write(b)
	if n > 0 {
		f.torn = b[n-1] != '\n'
	}
	if err != nil && f.hooks.Failed != nil {
		f.hooks.Failed(err, bytes.Count(b[n:], []byte{'\n'}))
	}
	if cap(b) != BufferBytes {
		return // grown by a long line: keeping it would keep its size for ever
	}
	select {
	case f.free <- b:
	default:
	}
}

func (f *File) replace(path string) error {
	out, err := open(path)
	if err != nil {
		return err
	}
	f.flush() // lines made before go to the old file
	err = f.closeFile()
	f.path, f.out, f.torn = path, out, false
	return err
}

// closeFile closes the file if it is ours to close.
func (f *File) closeFile() error {
	file, ok := f.out.(*os.File)
	if !ok || file == os.Stdout {
		return nil
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return nil
}
