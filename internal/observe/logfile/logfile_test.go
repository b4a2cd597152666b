package logfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func hand(t *testing.T, f *File, lines string) {
	t.Helper()
	if !f.Hand(append(f.Buffer(), lines...)) {
		t.Fatal("the queue is full")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAppendsToAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for _, line := range []string{"one\n", "two\n"} {
		f, err := Open(Disk{Path: path}, Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		hand(t, f, line)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path); got != "one\ntwo\n" {
		t.Errorf("the file holds %q", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestReopenFollowsARename(t *testing.T) {
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "a.log"), filepath.Join(dir, "a.log.1")
	f, err := Open(Disk{Path: path}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	hand(t, f, "before\n")
	if err := os.Rename(path, rotated); err != nil {
		t.Fatal(err)
	}
	hand(t, f, "between\n")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	hand(t, f, "after\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if old, now := read(t, rotated), read(t, path); old != "before\nbetween\n" || now != "after\n" {
		t.Errorf("old file %q, new file %q", old, now)
	}
}

func TestKeepsTheOldFileIfTheNewOneCannotBeOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	f, err := Open(Disk{Path: path}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Switch(Disk{Path: filepath.Join(path, "not-a-folder")}); err == nil {
		t.Error("no error")
	}
	hand(t, f, "still here\n")
	f.Close()
	if got := read(t, path); got != "still here\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestSwitchGoesOnElsewhere(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(nil, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	hand(t, f, "to nowhere\n")
	if err := f.Switch(Disk{Path: filepath.Join(dir, "b.log")}); err != nil {
		t.Fatal(err)
	}
	hand(t, f, "here\n")
	f.Close()
	if got := read(t, filepath.Join(dir, "b.log")); got != "here\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestRefusesWhatItCannotOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Disk{Path: filepath.Join(dir, "none", "a.log")}, Hooks{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder that is not there: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Open(Disk{Path: pipe}, Hooks{}); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
}

func TestWritesWithinASecondWhatIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var f *File
		gathered := "gathered\n"
		ready := make(chan struct{})
		f = start(keep{&out}, Hooks{Collect: func(drain func()) {
			<-ready
			if gathered != "" {
				f.Hand(append(f.Buffer(), gathered...))
				gathered = ""
				drain()
			}
		}})
		close(ready)
		<-time.After(collectEvery + 1)
		synctest.Wait()
		if out.String() != "gathered\n" {
			t.Errorf("wrote %q", out.String())
		}
		f.Close()
	})
}

// stuckWriter takes nothing until it is released.
type stuckWriter struct {
	entered, release chan struct{}
	taken            bytes.Buffer
}

func newStuckWriter() *stuckWriter {
	return &stuckWriter{entered: make(chan struct{}, 1), release: make(chan struct{})}
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	select {
	case w.entered <- struct{}{}:
	default:
	}
	<-w.release
	return w.taken.Write(p)
}

func TestAStuckDiskFillsTheQueueAndNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStuckWriter()
		lost := 0
		f := start(keep{w}, Hooks{Lost: func(lines int) { lost += lines }})
		hand(t, f, "first\n")
		<-w.entered
		for range queueBuffers {
			hand(t, f, "more\n")
		}
		if f.Hand([]byte("too much\n")) {
			t.Error("the queue has no bound")
		}
		if err := f.Reopen(); !errors.Is(err, errBusy) {
			t.Errorf("Reopen of a stuck log: %v", err)
		}
		if err := f.Close(); !errors.Is(err, errStalled) {
			t.Errorf("Close of a stuck log: %v", err)
		}
		if lost != 1+queueBuffers {
			t.Errorf("%d lines are counted as lost", lost)
		}
		close(w.release)
		if err := f.Flush(); !errors.Is(err, errClosed) {
			t.Errorf("Flush after Close: %v", err)
		}
	})
}

// A place is one of a test. It counts how often what it opened was closed.
type place struct {
	io.Writer
	closed *int
}

func (p place) Open(func(error)) (Output, error) { return p, nil }
func (p place) Reopen() error                    { return nil }
func (p place) Close() error                     { *p.closed++; return nil }

func TestAStuckPlaceIsLeftWithinAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStuckWriter()
		lost, oldClosed, newClosed := 0, 0, 0
		var told []string
		var out bytes.Buffer
		f, _ := Open(place{w, &oldClosed}, Hooks{
			Lost:   func(lines int) { lost += lines },
			Failed: func(error) { told = append(told, "failed") }, Recovered: func(int) { told = append(told, "recovered") },
		})
		hand(t, f, "first\n")
		<-w.entered
		hand(t, f, "second\n")
		began := time.Now()
		if err := f.Switch(place{&out, &newClosed}); err != nil || time.Since(began) > moment {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		hand(t, f, "third\n")
		f.Flush()
		if out.String() != "third\n" || lost != 2 || strings.Join(told, " ") != "failed recovered" {
			t.Errorf("the new place got %q, %d lines are counted as lost, told %v", out.String(), lost, told)
		}
		close(w.release)
		synctest.Wait()
		f.Close()
		if oldClosed != 1 || newClosed != 1 {
			t.Errorf("closed %d and %d times", oldClosed, newClosed)
		}
		if err := f.Switch(place{&out, &newClosed}); !errors.Is(err, errClosed) || newClosed != 2 {
			t.Errorf("Switch after Close: %v, and what it opened was closed %d times", err, newClosed-1)
		}
	})
}

func TestAPipeThatNobodyReadsIsClosedWhenItIsLeft(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f, err := Open(Disk{Path: pipe}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range queueBuffers { // 1 MiB: more than a pipe holds
		hand(t, f, strings.Repeat("0123456789abcde\n", BufferBytes/16))
	}
	if err := f.Switch(Disk{Path: filepath.Join(dir, "b.log")}); err != nil {
		t.Fatal(err)
	}
	reader.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Errorf("the pipe is still open: %v", err)
	}
}

// fullDisk takes a number of bytes and then fails.
type fullDisk struct {
	room  int
	taken bytes.Buffer
}

func (w *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	w.taken.Write(p[:n])
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func TestAFullDiskCostsLinesAndNoLineIsMixedUp(t *testing.T) {
	w := &fullDisk{room: 6}
	lost := 0
	f := start(keep{w}, Hooks{Lost: func(lines int) { lost += lines }})
	hand(t, f, "one\ntwo\nthree\n") // ends within "two"
	f.Flush()
	hand(t, f, "four\n")
	f.Flush()
	f.request(&request{do: func() error { w.room = 100; return nil }}, closeWait)
	hand(t, f, "five\n")
	f.Close()
	if got := w.taken.String(); got != "one\ntw\nfive\n" {
		t.Errorf("the disk holds %q", got)
	}
	if lost != 3 {
		t.Errorf("%d lines lost, want 3", lost)
	}
}

func TestBuffersAreUsedAgain(t *testing.T) {
	f, err := Open(nil, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	round := func() {
		f.Hand(append(f.Buffer(), '\n'))
		for len(f.free) == 0 {
			f.Flush()
		}
	}
	round()
	first := f.Buffer()
	f.Hand(first)
	f.Flush()
	if second := f.Buffer(); &first[:1][0] != &second[:1][0] || cap(second) != BufferBytes {
		t.Error("a written buffer is not used again")
	}
	f.Hand(make([]byte, 3*BufferBytes))
	f.Flush()
	if n := len(f.free); n != 0 {
		t.Error("a grown buffer is kept")
	}
}
