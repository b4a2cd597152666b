package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sluice/internal/downstream/listen"
	"sluice/internal/systemd"
)

// legacyVariable is the environment variable that tells a process that it is to take another one's place. Its value is a legacy as JSON.
const legacyVariable = "SLUICE_TAKES_OVER"

// firstFile is the first descriptor that is handed over, behind standard input, output and error.
const firstFile = 3

// ready is what a process that has taken over writes to the one before it. Anything else is the reason why it can't.
const ready = "ready\n"

// A legacy is what a process hands over to its successor: listening sockets, from descriptor firstFile on, and behind them the pipe that is to be told how it went.
type legacy struct {
	Sockets []legacySocket `json:"sockets"`
}

// A legacySocket is one of them, as listen.Legacy has it.
type legacySocket struct {
	Address   string `json:"address"`
	Activated bool   `json:"activated,omitempty"`
}

// Inherited is what a process gets at its start beside its command line: from the service manager, and from a process whose place it takes.
type Inherited struct {
	sockets *listen.Inheritance // nil: none
	manager *systemd.Notifier   // nil: none
	before  *os.File            // the pipe to the process whose place this one takes; nil if it takes nobody's
	program string              // what a successor is started from
}

// Inherit takes what this process was given at its start, out of its environment, too. It must be called before a program is started, which would get it all.
func Inherit() (*Inherited, error) {
	environment := os.Environ()
	in := &Inherited{manager: systemd.Find(environment), program: ownProgram()}
	first, names := systemd.Sockets(environment)
	sockets := make([]listen.Legacy, len(names))
	for i := range sockets {
		sockets[i].Activated = true
	}
	if text := os.Getenv(legacyVariable); text != "" {
		var l legacy
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, fmt.Errorf("%s: %w", legacyVariable, err)
		}
		first, sockets = firstFile, nil
		for _, s := range l.Sockets {
			sockets = append(sockets, listen.Legacy{Address: s.Address, Activated: s.Activated})
		}
		in.before = os.NewFile(uintptr(firstFile+len(sockets)), "the process before")
	}
	for _, name := range []string{legacyVariable, "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // what they tell of is ours now
	}
	if len(sockets) == 0 {
		return in, nil
	}
	var err error
	if in.sockets, err = listen.Inherit(first, sockets); err != nil {
		in.report(err)
		return nil, err
	}
	return in, nil
}

// ownProgram is the path that a successor is started from. It is the one by which this process was called, if that leads to its own file: behind it may be a link that
// leads to another file by the time of an upgrade.
func ownProgram() string {
	own, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	called, err := exec.LookPath(os.Args[0])
	if err != nil {
		return own
	}
	if called, err = filepath.Abs(called); err != nil {
		return own
	}
	a, errA := os.Stat(called)
	b, errB := os.Stat(own)
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return own
	}
	return called
}

// report tells the process whose place this one takes how the start went. Nil takes nobody's.
func (in *Inherited) report(failed error) {
	if in == nil || in.before == nil {
		return
	}
	text := ready
	if failed != nil {
		text = reason(failed)
	}
	_, _ = in.before.WriteString(text) // that process may have died: then there is nobody left to take over from
	_ = in.before.Close()
	in.before = nil
}

// reason is an error with all that is wrong with a config.
func reason(err error) string {
	var bad *ConfigError
	if !errors.As(err, &bad) {
		return err.Error()
	}
	var text strings.Builder
	text.WriteString("the config can't be used\n")
	_ = bad.Decoder.Render(&text, false)
	return strings.TrimSpace(text.String())
}

// legacy are the sockets that were handed over; nil is none.
func (in *Inherited) legacy() *listen.Inheritance {
	if in == nil {
		return nil
	}
	return in.sockets
}

// takesOver reports whether this process takes another one's place, which has not been told yet how it went.
func (in *Inherited) takesOver() bool { return in != nil && in.before != nil }

// listener returns the inherited socket of an address, nil if there is none: for the admin server.
func (in *Inherited) listener(address string) (net.Listener, error) {
	return in.legacy().Listener(address)
}
