package looptest

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"sluice/internal/loop"
)

func TestTheClockMovesOnlyWhenAllWait(t *testing.T) {
	w := New(1)
	start := w.Now()
	var order []time.Duration
	for _, d := range []time.Duration{3 * time.Hour, time.Second, time.Minute} {
		w.Go(func() {
			w.Sleep(d)
			order = append(order, w.Now().Sub(start))
		})
	}
	if w.Now() != start {
		t.Error("it moved while the test ran")
	}
	if err := w.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(order) != 3 || order[0] != time.Second || order[1] != time.Minute || order[2] != 3*time.Hour {
		t.Error(order)
	}
}

func TestWaitingForWhatNeverComesIsAnError(t *testing.T) {
	w := New(1)
	ln := w.Serve("10.0.0.1:1")
	w.Go(func() { _, _ = ln.Accept() })
	if err := w.Wait(); !errors.Is(err, ErrStuck) {
		t.Error(err)
	}
	if _, err := w.Dial("10.0.0.1:1"); err != nil {
		t.Error("the world goes on after that: ", err)
	}
	if err := w.Wait(); err != nil {
		t.Error(err)
	}
}

// pair returns the two ends of a connection of actors.
func pair(t *testing.T, w *World) (a, b *Conn) {
	t.Helper()
	ln := w.Serve("10.0.0.1:1")
	defer ln.Close()
	a, err := w.Dial("10.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestBytesArriveInOrderBeforeTheEnd(t *testing.T) {
	for seed := range uint64(20) {
		w := New(seed)
		a, b := pair(t, w)
		sent := make([]byte, 100_000)
		for i := range sent {
			sent[i] = byte(i % 251)
		}
		w.Go(func() {
			if n, err := a.Write(sent); n != len(sent) || err != nil {
				t.Error(n, err)
			}
			a.Close()
		})
		got, err := io.ReadAll(b)
		if string(got) != string(sent) || err != nil {
			t.Errorf("seed %d: %d bytes, %v", seed, len(got), err)
		}
		b.Close()
		if n := w.Open(); n != 0 {
			t.Errorf("seed %d: %d descriptors are open", seed, n)
		}
	}
}

func TestClosingWithUnreadBytesResets(t *testing.T) {
	w := New(1)
	a, b := pair(t, w)
	if _, err := a.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	w.Sleep(time.Second)
	b.Close()
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
}

func TestWhatReachesAClosedSocketIsAnsweredByAReset(t *testing.T) {
	w := New(1)
	a, b := pair(t, w)
	b.Close()
	if _, err := a.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	if _, err := a.Write([]byte("late")); err != nil {
		t.Error(err)
	}
	w.Sleep(time.Second)
	if _, err := a.Write([]byte("later")); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

func TestActorsHaveDeadlines(t *testing.T) {
	w := New(1)
	a, b := pair(t, w)
	at := w.Now().Add(time.Minute)
	_ = a.SetDeadline(at)
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !w.Now().Equal(at) {
		t.Error(err, w.Now())
	}
	_ = b.SetDeadline(w.Now().Add(time.Minute))
	if _, err := b.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	a.Close()
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestAnEdgeIsToldOnce(t *testing.T) {
	w := New(2)
	a, b := pair(t, w)
	s := w.System()
	if errno := s.Watch(b.fd, 7, false); errno != 0 {
		t.Fatal(errno)
	}
	poll := func() (all loop.Ready) {
		events := make([]loop.Event, 10)
		for _, e := range events[:s.Poll(events, time.Second)] {
			if e.Fd != b.fd || e.Tag != 7 {
				t.Error(e)
			}
			all |= e.Ready
		}
		return all
	}
	if got := poll(); got != loop.Out {
		t.Error("at first: ", got)
	}
	_, _ = a.Write([]byte("x"))
	if got := poll(); got != loop.In|loop.Out {
		t.Error("a byte: ", got)
	}
	if got := poll(); got != 0 {
		t.Error("the same byte again: ", got)
	}
	_ = a.CloseWrite()
	if got := poll(); got&(loop.InEnd|loop.Broken) != loop.InEnd {
		t.Error("an end: ", got)
	}
	a.Reset()
	if got := poll(); got&loop.Broken == 0 {
		t.Error("a reset: ", got)
	}
}

func TestDescriptorsAreUsedAgainAndMayRunOut(t *testing.T) {
	w := New(1)
	a, b := pair(t, w)
	w.Limit(2)
	if _, err := w.Dial("10.0.0.1:1"); !errors.Is(err, syscall.EMFILE) {
		t.Error(err)
	}
	w.Limit(3)
	fd := a.fd
	a.Close()
	first, second := w.Serve("10.0.0.1:2"), w.Serve("10.0.0.1:3")
	if first.fd != firstFile || second.fd != fd {
		t.Errorf("%d and %d are used, %d and %d are free", first.fd, second.fd, firstFile, fd)
	}
	first.Close()
	second.Close()
	b.Close()
}

func TestDialsAreRefusedOrGoUnanswered(t *testing.T) {
	w := New(1)
	if _, err := w.Dial("10.0.0.1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	if _, err := w.DialUnix("/run/none"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	w.Dark("10.0.0.1:2", true)
	if _, err := w.Dial("10.0.0.1:2"); !errors.Is(err, ErrStuck) {
		t.Error(err)
	}
}
