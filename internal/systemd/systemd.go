// Package systemd speaks with the service manager that started the process: it takes the sockets that are handed over at the start (socket activation) and tells how the
// process is (sd_notify).
//
// Both are a few environment variables and one datagram for each message (sd_listen_fds(3), sd_notify(3)), which needs no library. A Notifier is nil where nobody
// listens, and all its methods may be called then. It decides nothing: what is told when is app's.
package systemd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// firstSocket is the first descriptor that is handed over (SD_LISTEN_FDS_START).
const firstSocket = 3

// The variables that are for this process alone, and not for programs that it starts.
var ownVariables = []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"}

// A Notifier tells the service manager how the process is.
type Notifier struct {
	address  *net.UnixAddr
	watchdog time.Duration
}

// Find returns the notifier of the service manager that environment, a list of NAME=VALUE, tells of; nil if there is none.
func Find(environment []string) *Notifier {
	name := value(environment, "NOTIFY_SOCKET")
	if name == "" || name[0] != '/' && name[0] != '@' {
		return nil
	}
	m := &Notifier{address: &net.UnixAddr{Name: name, Net: "unixgram"}}
	if usec, err := strconv.ParseUint(value(environment, "WATCHDOG_USEC"), 10, 40); err == nil && isFor(environment, "WATCHDOG_PID", true) {
		m.watchdog = time.Duration(usec) * time.Microsecond
	}
	return m
}

// Sockets returns the first descriptor of the listening sockets that were handed over, and a name for each, which may be empty.
func Sockets(environment []string) (first int, names []string) {
	n, err := strconv.ParseUint(value(environment, "LISTEN_FDS"), 10, 16)
	if err != nil || n == 0 || !isFor(environment, "LISTEN_PID", false) {
		return firstSocket, nil
	}
	names = make([]string, n)
	copy(names, strings.Split(value(environment, "LISTEN_FDNAMES"), ":"))
	return firstSocket, names
}

// Without returns an environment without what is for this process alone.
func Without(environment []string) (rest []string) {
	for _, entry := range environment {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains(ownVariables, name) {
			rest = append(rest, entry)
		}
	}
	return rest
}

// isFor reports whether a variable holds the number of this process. unset is what a variable that is not there means.
func isFor(environment []string, name string, unset bool) bool {
	text := value(environment, name)
	return text == "" && unset || text == strconv.Itoa(os.Getpid())
}

// value is that of an environment variable; the last one counts, as in os/exec.
func value(environment []string, name string) (found string) {
	for _, entry := range environment {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			found = v
		}
	}
	return found
}

// Watchdog is within which time Alive must be called again; 0 is never.
func (m *Notifier) Watchdog() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog
}

// Ready tells that the process does its work: after the start, and after Reloading.
func (m *Notifier) Ready(status string) { m.tell("READY=1", statusLine(status)) }

// Reloading tells that a config is being read again. Ready must follow, whatever comes of it.
func (m *Notifier) Reloading() {
	if m != nil {
		m.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
	}
}

// Stopping tells that the process is about to end.
func (m *Notifier) Stopping(status string) { m.tell("STOPPING=1", statusLine(status)) }

// Successor tells that another process is the service's main one from now on. The manager listens to that one only.
func (m *Notifier) Successor(pid int, status string) {
	m.tell("MAINPID="+strconv.Itoa(pid), statusLine(status))
}

// Alive tells the manager's watchdog that all is well.
func (m *Notifier) Alive() { m.tell("WATCHDOG=1") }

func statusLine(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// tell sends one message. What can't be sent is lost: there is nobody else to tell, and the process goes on.
func (m *Notifier) tell(lines ...string) {
	if m == nil {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, m.address)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(tellTimeout))
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}

// tellTimeout bounds the wait for a manager that does not read.
const tellTimeout = time.Second
