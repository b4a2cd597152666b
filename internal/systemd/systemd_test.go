package systemd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for a message. It is never waited out unless a test fails.
const patience = 10 * time.Second

// listen is a manager's socket of the test.
func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// next is the next message that the manager gets.
func next(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 1000)
	conn.SetReadDeadline(time.Now().Add(patience))
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestTellsTheManager(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "n"), fmt.Sprintf("@sluice-test-%d", os.Getpid())} {
		conn := listen(t, name)
		m := Find([]string{"A=B", "NOTIFY_SOCKET=" + name})
		for want, tell := range map[string]func(){
			"READY=1\nSTATUS=2 sites":      func() { m.Ready("2 sites") },
			"READY=1\nSTATUS=a b":          func() { m.Ready("a\nb") },
			"STOPPING=1\nSTATUS=till then": func() { m.Stopping("till then") },
			"MAINPID=7\nSTATUS=handed":     func() { m.Successor(7, "handed") },
			"WATCHDOG=1":                   m.Alive,
		} {
			tell()
			if got := next(t, conn); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

// The time must be of the clock that the manager reads, or it takes the reload for an earlier one.
func TestAReloadHasTheManagersTime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "n")
	conn := listen(t, name)
	m := Find([]string{"NOTIFY_SOCKET=" + name})
	before := monotonic().Microseconds()
	m.Reloading()
	var usec int64
	if _, err := fmt.Sscanf(next(t, conn), "RELOADING=1\nMONOTONIC_USEC=%d", &usec); err != nil {
		t.Fatal(err)
	}
	if after := monotonic().Microseconds(); usec < before || usec > after || usec == 0 {
		t.Errorf("%d is not from %d to %d", usec, before, after)
	}
}

func TestWithoutAManagerNothingIsTold(t *testing.T) {
	for _, environment := range [][]string{nil, {"NOTIFY_SOCKET="}, {"NOTIFY_SOCKET=vsock:2:1"}, {"NOTIFY_SOCKET=relative"}} {
		m := Find(environment)
		if m != nil {
			t.Errorf("%q: there is a manager", environment)
		}
		m.Ready("")
		m.Reloading()
		m.Stopping("")
		m.Alive()
		if m.Watchdog() != 0 {
			t.Error("there is a watchdog")
		}
	}
	Find([]string{"NOTIFY_SOCKET=/nonexistent/socket"}).Ready("nobody hears it")
}

func TestTheWatchdogIsForOneProcess(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"WATCHDOG_USEC=3000000": 3 * time.Second,
		fmt.Sprintf("WATCHDOG_USEC=500000 WATCHDOG_PID=%d", os.Getpid()): 500 * time.Millisecond,
		"WATCHDOG_USEC=500000 WATCHDOG_PID=1":                            0,
		"WATCHDOG_USEC=-1":                                               0,
		"WATCHDOG_USEC=99999999999999999999":                             0,
		"WATCHDOG_USEC=x":                                                0,
		"":                                                               0,
	} {
		if got := Find(append(strings.Fields(text), "NOTIFY_SOCKET=/run/x")).Watchdog(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestSocketsAreForOneProcess(t *testing.T) {
	us := fmt.Sprintf("LISTEN_PID=%d ", os.Getpid())
	for text, want := range map[string][]string{
		us + "LISTEN_FDS=2 LISTEN_FDNAMES=http:https": {"http", "https"},
		us + "LISTEN_FDS=2 LISTEN_FDNAMES=http":       {"http", ""},
		us + "LISTEN_FDS=1 LISTEN_FDNAMES=a:b":        {"a"},
		us + "LISTEN_FDS=1":                           {""},
		us + "LISTEN_FDS=0":                           nil,
		us + "LISTEN_FDS=-1":                          nil,
		us + "LISTEN_FDS=70000":                       nil,
		us:                                            nil,
		"LISTEN_FDS=1 LISTEN_PID=1":                   nil,
		"LISTEN_FDS=1":                                nil,
	} {
		first, names := Sockets(strings.Fields(text))
		if first != 3 || !slices.Equal(names, want) {
			t.Errorf("%q: %d %q, want %q", text, first, names, want)
		}
	}
}

func TestProgramsThatAreStartedGetTheRestOfTheEnvironment(t *testing.T) {
	got := Without([]string{"A=1", "LISTEN_FDS=2", "LISTEN_PID=3", "LISTEN_FDNAMES=x", "WATCHDOG_PID=3", "WATCHDOG_USEC=5", "NOTIFY_SOCKET=/run/n"})
	if want := []string{"A=1", "WATCHDOG_USEC=5", "NOTIFY_SOCKET=/run/n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
