package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asked is a running process with what its commands print.
type asked struct {
	t      *testing.T
	name   string // of its config file
	socket string
}

// run runs a command against the process and checks its status; all of want are in what it prints, on either output.
func (a *asked) run(status int, command string, want ...string) {
	a.t.Helper()
	args := append(strings.Fields(command), "--admin", a.socket)
	stdout, stderr, got := outcome(a.t, sluice(a.t, args...))
	if got != status {
		a.t.Errorf("%s: status %d, want %d\n%s%s", command, got, status, stdout, stderr)
	}
	for _, text := range want {
		if !strings.Contains(stdout+stderr, text) {
			a.t.Errorf("%s: no %q in\n%s%s", command, text, stdout, stderr)
		}
	}
}

func TestCommandsChangeTheRunningProcess(t *testing.T) {
	first, _, _ := origin(t, "first")
	second, _, _ := origin(t, "second")
	port := freePort(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	configTo := func(address string) string {
		return strings.Replace(siteConfig(port, address, ""), "admin: off", "admin: { listen: \"unix:"+socket+"\" }", 1)
	}
	name := write(t, configTo(first))
	p := start(t, sluice(t, "run", "--config", name))
	p.await("msg=started")
	next := filepath.Join(t.TempDir(), "next.yaml")
	if err := os.WriteFile(next, []byte(configTo(second)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &asked{t, name, socket}
	holds := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(name); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("the config file does not hold %s: %s %v", want, text, err)
		}
	}

	a.run(0, "diff", "no differences")
	a.run(1, "diff "+next, "› to: \""+first+"\" → \""+second, "leaves pool http://"+first, "none is closed")
	a.run(1, "diff "+filepath.Join(t.TempDir(), "none"), "no such file")
	a.run(0, "apply --for 60s "+next, "on trial until", "generation 2 is in force")
	holds(first)
	a.run(0, "status", "on trial until", "in no file")
	a.run(1, "apply "+next, "a config is on trial")
	a.run(0, "confirm", "confirmed: generation 2")
	holds(second)
	a.run(1, "confirm", "no config is on trial")
	a.run(0, "rollback", "rolled back: generation 3", "holds it")
	holds(first)
	a.run(1, "rollback", "no config to go back to")

	rewrite(t, name, configTo(first)+"# by hand\n")
	a.run(1, "apply "+next, "was changed since it was read: reload it first", "--unsaved applies it all the same")
	a.run(0, "apply --unsaved "+next, "generation 4", "is not changed")
	a.run(0, "rollback", "generation 5")

	a.run(0, "drain "+first, "http://"+first+" is draining", "no exchange is left")
	a.run(0, "status", "draining: an operator has taken it out")
	a.run(0, "undrain http://"+first+"/http://"+first, "is up")
	a.run(1, "drain 192.0.2.1:1", `no pool has a server "192.0.2.1:1"; there are: http://`+first)
	a.run(0, "top --once --every 100ms", "POOL, SERVERS", first)
	p.signal(os.Interrupt)
	p.ends(0)
}
