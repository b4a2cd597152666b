package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/systemd"
)

// Whether the process is there says nothing: it serves as long as its loops turn.
func TestTheServiceManagerIsNotToldThatAllIsWellWhileALoopStandsStill(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1"))
	all, ok := s.p.engine.crew.(*loops)
	if !ok {
		t.Skip("there are no loops here")
	}
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(s.folder, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	told := func(within time.Duration) (message string, err error) {
		b := make([]byte, 1000)
		manager.SetReadDeadline(time.Now().Add(within))
		n, err := manager.Read(b)
		return string(b[:n]), err
	}
	s.p.program.Inherited = &Inherited{manager: systemd.Find([]string{"NOTIFY_SOCKET=" + manager.LocalAddr().String(), "WATCHDOG_USEC=10000"})}
	s.p.serving()
	if message, err := told(patience); err != nil || !strings.HasPrefix(message, "READY=1\nSTATUS=sites: 1, listeners: 1, ") {
		t.Fatalf("%q, %v", message, err)
	}
	if message, err := told(patience); err != nil || message != "WATCHDOG=1" {
		t.Fatalf("%q, %v", message, err)
	}

	free := make(chan struct{})
	all.group.Loops[0].Post(func() { <-free })
	eventually(t, "the manager is told nothing any more", func() bool {
		_, err := told(20 * 5 * time.Millisecond) // twenty beats
		return os.IsTimeout(err)
	})
	close(free)
	if message, err := told(patience); err != nil || message != "WATCHDOG=1" {
		t.Fatalf("%q, %v", message, err)
	}
}
