//go:build interop

package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// A terminal is a window of tmux of 80 columns and 24 lines, with a server of its own.
type terminal struct {
	t      *testing.T
	socket string
}

// newTerminal runs a command in a new terminal.
func newTerminal(t *testing.T, command string) *terminal {
	t.Helper()
	term := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", term.socket}, args...)...)
	cmd.Env = append(cmd.Environ(), "TERM=xterm", "LANG=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// screen is what the terminal shows.
func (term *terminal) screen() string { return term.tmux("capture-pane", "-p") }

func TestTopInARealTerminal(t *testing.T) {
	need(t, "nginx", "tmux")
	n := startNginx(t, "")
	n.file("a.bin", noise(5000))
	s := proxyTo(t, n.addr)
	admin := filepath.Join(t.TempDir(), "admin.sock")
	s.reload("admin: off", "admin: { listen: \"unix:"+admin+"\" }")
	term := newTerminal(t, sluicePath+" top --every 200ms --admin "+admin)
	ask := func() bool {
		answered(t, s.url+"/a.bin", 20)
		screen := term.screen()
		return strings.Contains(screen, "\nPOOL, SERVERS ") && strings.Contains(screen, "p99 ") && !strings.Contains(screen, "requests 0/s")
	}
	s.until("top shows requests", ask)
	lines := strings.Split(strings.TrimSuffix(term.screen(), "\n"), "\n")
	if len(lines) != 24 || !strings.HasPrefix(lines[23], "q quits") || !strings.HasPrefix(lines[0], "sluice ") {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 80 {
			t.Errorf("%d characters: %s", n, l)
		}
	}
	term.tmux("send-keys", "q")
	s.until("top has ended", func() bool { return exec.Command("tmux", "-S", term.socket, "has-session").Run() != nil })
}
