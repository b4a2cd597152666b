package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asSluice makes the test's own binary run as sluice: a real process with real signals and exit statuses, under the race detector if the test is.
const asSluice = "TEST_AS_SLUICE"

func TestMain(m *testing.M) {
	if os.Getenv(asSluice) != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must happen. It is never waited out unless a test fails.
const patience = 30 * time.Second

// sluice is a command that runs it. Its runtime directory, where the admin socket is, is the test's own, unless root runs it.
func sluice(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	runtime, err := os.MkdirTemp("", "sl") // not t.TempDir: its path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), asSluice+"=1", "XDG_RUNTIME_DIR="+runtime, "GORACE=atexit_sleep_ms=0")
	c.Dir = t.TempDir()
	return c
}

// outcome runs a command to its end and returns what it wrote and its exit status.
func outcome(t *testing.T, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// A process is a sluice that runs until it is told to end.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of standard error; closed at the end
	stdout bytes.Buffer
	seen   []string
}

// start starts a command and follows its standard error.
func start(t *testing.T, c *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: c, lines: make(chan string, 1000)}
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.Stdout == nil {
		c.Stdout = &p.stdout
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(pipe); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("standard error:\n%s", strings.Join(p.seen, "\n"))
		}
	})
	return p
}

// runConfig starts "sluice run" with a config and waits until it has started.
func runConfig(t *testing.T, text string) *process {
	t.Helper()
	p := start(t, sluice(t, "run", "--config", write(t, text)))
	p.await("msg=started")
	return p
}

// await waits for a line of standard error that holds text.
func (p *process) await(text string) string {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("ended before it wrote %q", text)
			}
			p.seen = append(p.seen, line)
			if strings.Contains(line, text) {
				return line
			}
		case <-timer.C:
			p.t.Fatalf("did not write %q", text)
		}
	}
}

// signal sends s.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the end and checks the exit status.
func (p *process) ends(status int) {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	_ = p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("exit status %d, want %d", got, status)
	}
}

// write writes a config file and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.yaml")
	rewrite(t, name, text)
	return name
}

func rewrite(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// get asks for a path and returns status and content.
func get(t *testing.T, client *http.Client, port int, path string) (int, string) {
	t.Helper()
	r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(content)
}

// newClient returns a client with connections of its own.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}
