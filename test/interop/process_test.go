//go:build interop

package interop

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 20 * time.Second // until a process listens
	endTimeout   = 20 * time.Second // from a signal until a process has ended
)

// sluicePath is the program under test; TestMain builds it.
var sluicePath string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Servers lie in sbin, which is not on everybody's path.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	sluicePath = filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", sluicePath, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// need skips the test if a program is missing; under CI that is a failure.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: make peers", p)
			}
			t.Skipf("%s is missing: make peers", p)
		}
	}
}

// A process is a program that a test has started. It is ended with the test.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  transcript
	done chan struct{} // closed when it has ended
	err  error         // how it ended; valid after done
}

// A transcript keeps what a process writes.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is all that was written so far.
func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs a program until the end of the test.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // if the test binary dies
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(name), p.log.String())
		}
	})
	return p
}

// end sends a signal and waits until the process has ended, with force if it takes too long.
func (p *process) end(s syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.done:
	case <-time.After(endTimeout):
		p.t.Errorf("%s does not end at %v", p.name, s)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// listens waits until somebody accepts at addr.
func (p *process) listens(network, addr string) {
	p.t.Helper()
	p.until("listens on "+addr, func() bool {
		c, err := net.Dial(network, addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// until waits until cond holds, while the process runs.
func (p *process) until(what string, cond func() bool) {
	p.t.Helper()
	deadline := time.After(startTimeout)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !cond() {
		select {
		case <-look.C:
		case <-p.done:
			p.t.Fatalf("%s ended before it %s: %v\n%s", p.name, what, p.err, p.log.String())
		case <-deadline:
			p.t.Fatalf("%s never %s\n%s", p.name, what, p.log.String())
		}
	}
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// write puts text into a file of the folder dir.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A sluice is a running Sluice.
type sluice struct {
	*process
	addr   string // where it listens
	url    string
	access string // the file of its access log
	config string // its config file
	mayEnd bool   // the test has it end
}

// faultLine is what Sluice never writes while all goes well.
var faultLine = regexp.MustCompile(`(?m)^.*("level":"ERROR"|level=ERROR|panic|goroutine \d+|stands still).*$`)

// serve starts Sluice with one site on a free port. site is the YAML below the site's name, top are further sections.
func serve(t *testing.T, site string, top ...string) *sluice {
	t.Helper()
	addr := freeAddr(t)
	dir := t.TempDir()
	access := filepath.Join(dir, "access.log")
	config := fmt.Sprintf("admin: off\nlog: { access: { file: %s } }\nlisteners: { %s: { addresses: [127.0.0.1] } }\n%s\nsites:\n  http://:%s:\n%s\n",
		access, portOf(addr), strings.Join(top, "\n"), portOf(addr), indent(site))
	path := write(t, dir, "sluice.yaml", config)
	s := &sluice{process: start(t, sluicePath, "run", "--config", path), addr: addr, url: "http://" + addr, access: access, config: path}
	t.Cleanup(func() { // runs before the process is ended
		select {
		case <-s.done:
			if !s.mayEnd {
				t.Errorf("sluice ended: %v\n%s", s.err, s.log.String())
			}
		default:
		}
		s.end(syscall.SIGTERM)
		if s.err != nil {
			t.Errorf("sluice ended with %v", s.err)
		}
		if fault := faultLine.FindString(s.log.String()); fault != "" {
			t.Errorf("sluice wrote: %s", fault)
		}
		if t.Failed() {
			s.logErrors()
		}
	})
	s.listens("tcp", addr)
	return s
}

// ends waits until Sluice, which was told to, has ended.
func (s *sluice) ends() {
	s.t.Helper()
	s.mayEnd = true
	select {
	case <-s.done:
	case <-time.After(endTimeout):
		s.t.Error("sluice does not end")
	}
}

// logErrors shows the exchanges that ended in an error.
func (s *sluice) logErrors() {
	text, _ := os.ReadFile(s.access)
	shown := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"error":`) && shown < 20 {
			s.t.Log(line)
			shown++
		}
	}
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// proxyTo starts Sluice in front of origins, addresses as they stand after to.
func proxyTo(t *testing.T, origins ...string) *sluice {
	t.Helper()
	return serve(t, `to: ["`+strings.Join(origins, `", "`)+`"]`)
}

// A result is what curl got.
type result struct {
	exit   int
	out    string // standard output: the content, unless options say otherwise
	errors string // standard error: what -v tells
}

// curlTimeout bounds each run of curl.
const curlTimeout = time.Minute

// curl runs curl, quietly.
func curl(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), curlTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "curl", append([]string{"--disable", "--silent", "--show-error"}, args...)...)
	cmd.Env = append(os.Environ(), "no_proxy=*")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Errorf("curl %s takes too long\n%s", strings.Join(args, " "), errs.String())
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// want fails the test unless curl ended well with that output.
func (r result) want(t *testing.T, out string) {
	t.Helper()
	if r.exit != 0 || r.out != out {
		t.Errorf("curl: exit %d, got %.300q, want %.300q\n%.2000s", r.exit, r.out, out, r.errors)
	}
}

// wantMatch is want with a regular expression.
func (r result) wantMatch(t *testing.T, pattern string) {
	t.Helper()
	if r.exit != 0 || !regexp.MustCompile(pattern).MatchString(r.out) {
		t.Errorf("curl: exit %d, got %.1000q, want %s\n%.2000s", r.exit, r.out, pattern, r.errors)
	}
}
