package logfile

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Standard is standard output, or standard error. It is a Place, and never closed.
type Standard struct{ Error bool }

// Open implements Place.
func (s Standard) Open(func(error)) (Output, error) {
	if s.Error {
		return keep{os.Stderr}, nil
	}
	return keep{os.Stdout}, nil
}

// Disk is a file, opened for appending with mode 0640. It is a Place.
type Disk struct {
	Path     string
	Rotation Rotation // the zero Rotation: only others rotate the file, and have it opened again
}

// Open implements Place.
func (d Disk) Open(trouble func(error)) (Output, error) {
	file, err := openFile(d.Path)
	if err != nil {
		return nil, err
	}
	f := &diskFile{Disk: d, trouble: trouble, now: time.Now}
	f.file.Store(file)
	f.begun = f.period(f.lastWrite())
	f.stop = make(chan struct{})
	return f, nil
}

func openFile(path string) (*os.File, error) {
	// O_NONBLOCK: opening a named pipe that nobody reads is an error, and not a wait without end. Regular files do not care.
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
}

// A diskFile is an open Disk.
type diskFile struct {
	Disk
	file    atomic.Pointer[os.File] // changed only by who uses the Output
	trouble func(error)
	now     func() time.Time

	begun int64     // the period that the file's lines are of; see Rotation.Age
	retry time.Time // after a failed rotation there is none before

	compressing sync.WaitGroup // at most one goroutine
	busy        chan struct{}  // closed when the goroutine has ended; nil before the first one
	stop        chan struct{}  // closed by Close
}

// Write implements io.Writer. A rotation that fails costs no line: the file goes on to grow.
func (f *diskFile) Write(b []byte) (int, error) {
	if f.isDue(len(b)) {
		if err := f.rotate(); err != nil {
			f.retry = f.now().Add(retryRotation)
			f.trouble(fmt.Errorf("rotate %s: %w", f.Path, err))
		}
	}
	return f.file.Load().Write(b)
}

// Reopen implements Output.
func (f *diskFile) Reopen() error {
	file, err := openFile(f.Path)
	if err != nil {
		return err
	}
	old := f.file.Swap(file)
	f.begun = f.period(f.lastWrite())
	return old.Close()
}

// Close implements io.Closer. A compression that runs is given up; its file stays as it was.
func (f *diskFile) Close() error {
	close(f.stop)
	f.compressing.Wait()
	return f.file.Load().Close()
}

// interrupt implements interruptible, for named pipes: regular files know no deadline.
func (f *diskFile) interrupt() { _ = f.file.Load().SetWriteDeadline(time.Unix(1, 0)) }
