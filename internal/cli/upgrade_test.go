package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/admin"
)

// startGroup starts a command in a process group of its own, so that its successors end with the test, too.
func startGroup(t *testing.T, c *exec.Cmd) *process {
	t.Helper()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := start(t, c)
	t.Cleanup(func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	return p
}

// oneRequest is a client that leaves no connection behind, which a process that has been replaced would keep.
func oneRequest() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
}

// upgrade has a process replaced and returns the number of the new one.
func (p *process) upgrade(pid int) int {
	p.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
		p.t.Fatal(err)
	}
	line := p.await("a new process has taken over")
	_, text, _ := strings.Cut(line, "pid=")
	next, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		p.t.Fatalf("no process in %q", line)
	}
	return next
}

// statusOf asks the process behind an admin socket.
func statusOf(t *testing.T, socket string) (s admin.Status) {
	t.Helper()
	stdout, stderr, status := outcome(t, sluice(t, "status", "--json", "--admin", socket))
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnUpgradeTakesOverSocketsAndLosesNothing(t *testing.T) {
	address, arrived, release := origin(t, "hello")
	port := freePort(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	text := strings.Replace(siteConfig(port, address, "limits: { drain_timeout: 1h }"), "admin: off", "admin: { listen: \"unix:"+socket+"\" }", 1)
	p := startGroup(t, sluice(t, "run", "--config", write(t, text)))
	p.await("msg=started")
	quiet, quietReader := ask(t, port, "/")
	wantResponse(t, quietReader, "hello")
	_, busy := ask(t, port, "/held")
	<-arrived

	first := p.cmd.Process.Pid
	second := p.upgrade(first)
	if got := statusOf(t, socket); got.PID != second || got.Generation != 1 || got.Draining {
		t.Errorf("process %d answers for itself, want %d: %+v", got.PID, second, got)
	}
	third := p.upgrade(second) // the first one is still there
	if status, content := get(t, oneRequest(), port, "/"); status != 200 || content != "hello" {
		t.Errorf("%d %q", status, content)
	}
	fmt.Fprint(quiet, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	if r := wantResponse(t, quietReader, "hello"); !r.Close {
		t.Error("the quiet connection's last response does not say that it ends")
	}
	close(release)
	if r := wantResponse(t, busy, "hello"); !r.Close {
		t.Error("the running exchange's response does not say that the connection ends")
	}
	p.await("msg=stopped")
	p.await("msg=stopped")
	if got := statusOf(t, socket); got.PID != third {
		t.Errorf("process %d answers, want %d", got.PID, third)
	}
	if err := syscall.Kill(third, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(0)
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the admin socket is left behind")
	}
}

func TestAnUpgradeFollowsTheConfig(t *testing.T) {
	address, _, _ := origin(t, "hello")
	stays, goes, comes := freePort(t), freePort(t), freePort(t)
	sockets := t.TempDir()
	sites := func(ports ...int) string {
		var sites, listeners []string
		for _, port := range ports {
			sites = append(sites, fmt.Sprintf("\"http://:%d\": { to: %q }", port, address))
			listeners = append(listeners, fmt.Sprintf("%d: { addresses: 127.0.0.1 }", port))
		}
		return "sites: { " + strings.Join(sites, ", ") + " }\nlisteners: { " + strings.Join(listeners, ", ") + " }\nlog: { access: off }\n" +
			fmt.Sprintf("admin: { listen: \"unix:%s/%d\" }\n", sockets, ports[1])
	}
	name := write(t, sites(stays, goes))
	p := startGroup(t, sluice(t, "run", "--config", name))
	p.await("msg=started")
	rewrite(t, name, badConfig)
	p.signal(syscall.SIGUSR2)
	line := p.await("the upgrade has failed; this process goes on")
	if !strings.Contains(line, "the new process gives up: the config can't be used") || !strings.Contains(line, ":3:5: error[unknown-key]") {
		t.Errorf("the reason is missing: %s", line)
	}
	get(t, oneRequest(), goes, "/")

	rewrite(t, name, sites(stays, comes))
	second := p.upgrade(p.cmd.Process.Pid)
	p.await("msg=stopped")
	get(t, oneRequest(), stays, "/")
	get(t, oneRequest(), comes, "/")
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", goes)); err == nil {
		t.Error("somebody listens where the new config does not")
		c.Close()
	}
	if entries, err := os.ReadDir(sockets); err != nil || len(entries) != 1 || entries[0].Name() != strconv.Itoa(comes) {
		t.Errorf("admin sockets: %v, %v, want %d", entries, err, comes)
	}
	if err := syscall.Kill(second, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(0)
}

// Not the file that runs is started, but the one that is there by then, also behind a link.
func TestAnUpgradeStartsTheFileThatIsThere(t *testing.T) {
	address, _, _ := origin(t, "hello")
	for _, isLink := range []bool{false, true} {
		dir := t.TempDir()
		program, called := filepath.Join(dir, "v1"), filepath.Join(dir, "sluice")
		copyFile(t, os.Args[0], program)
		replace := func(with string) {
			t.Helper()
			if err := os.Symlink(with, called+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(called+".new", called); err != nil {
				t.Fatal(err)
			}
		}
		if isLink {
			replace(program)
		} else if err := os.Rename(program, called); err != nil {
			t.Fatal(err)
		}
		port := freePort(t)
		c := sluice(t, "run", "--config", write(t, siteConfig(port, address, "")))
		c.Path, c.Args[0] = called, called
		p := startGroup(t, c)
		p.await("msg=started")
		script := filepath.Join(dir, "v2")
		if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 42\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if isLink {
			replace(script)
		} else if err := os.Rename(script, called); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGUSR2)
		p.await("the new process ended before it served: exit status 42")
		get(t, oneRequest(), port, "/")
		p.signal(syscall.SIGTERM)
		p.ends(0)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o700); err != nil {
		t.Fatal(err)
	}
}

// A serviceManager is what systemd is for a process: a socket that it tells how it is.
type serviceManager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &serviceManager{t, conn}
}

// want waits for a message that begins so, and returns it. Pings of the watchdog may come between.
func (m *serviceManager) want(begin string) string {
	m.t.Helper()
	b := make([]byte, 1000)
	for {
		m.conn.SetReadDeadline(time.Now().Add(patience))
		n, err := m.conn.Read(b)
		if err != nil {
			m.t.Fatalf("%v, want %q", err, begin)
		}
		if got := string(b[:n]); strings.HasPrefix(got, begin) {
			return got
		} else if got != "WATCHDOG=1" {
			m.t.Fatalf("got %q, want %q", got, begin)
		}
	}
}

// activated is a command with sockets that the manager has opened.
func (m *serviceManager) activated(c *exec.Cmd, sockets ...*os.File) *exec.Cmd {
	c.ExtraFiles = sockets
	c.Env = append(c.Env, "NOTIFY_SOCKET="+m.conn.LocalAddr().String(), fmt.Sprintf("LISTEN_FDS=%d", len(sockets)), "WATCHDOG_USEC=40000")
	c.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
	return c
}

// systemdSocket is a listening socket as systemd makes it: a blocking one.
func systemdSocket(t *testing.T) (*os.File, int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, ln.Addr().(*net.TCPAddr).Port
}

func TestAServiceOfSystemd(t *testing.T) {
	address, _, _ := origin(t, "hello")
	m := newServiceManager(t)
	used, port := systemdSocket(t)
	spare, sparePort := systemdSocket(t)
	name := write(t, siteConfig(port, address, ""))
	p := startGroup(t, m.activated(sluice(t, "run", "--config", name), used, spare))
	p.await(fmt.Sprintf("a socket that no site uses: whoever connects to it waits in vain\" address=127.0.0.1:%d", sparePort))
	m.want("READY=1\nSTATUS=sites: 1, listeners: 1, config generation 1")
	get(t, oneRequest(), port, "/")
	m.want("WATCHDOG=1")

	// A site for the other socket comes and goes and comes: nobody but systemd could bind it anew.
	both := siteConfig(port, address, "")
	both = strings.Replace(both, "sites: {", fmt.Sprintf("sites: { \"http://:%d\": { to: %q },", sparePort, address), 1)
	both = strings.Replace(both, "listeners: {", fmt.Sprintf("listeners: { %d: { addresses: 127.0.0.1 },", sparePort), 1)
	for i, text := range []string{both, siteConfig(port, address, ""), both} {
		rewrite(t, name, text)
		p.signal(syscall.SIGHUP)
		m.want("RELOADING=1\nMONOTONIC_USEC=")
		m.want(fmt.Sprintf("READY=1\nSTATUS=sites: %d, listeners: %d, config generation %d", 2-i%2, 2-i%2, i+2))
	}
	get(t, oneRequest(), sparePort, "/")
	rewrite(t, name, badConfig)
	p.signal(syscall.SIGHUP)
	m.want("RELOADING=1\nMONOTONIC_USEC=")
	m.want("READY=1\n") // it goes on with the old one

	rewrite(t, name, siteConfig(port, address, ""))
	second := p.upgrade(p.cmd.Process.Pid)
	m.want(fmt.Sprintf("MAINPID=%d\n", second))
	m.want("WATCHDOG=1") // of the second one: the first has nothing to say any more
	rewrite(t, name, both)
	if err := syscall.Kill(second, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.want("RELOADING=1\nMONOTONIC_USEC=")
	m.want("READY=1\nSTATUS=sites: 2, listeners: 2")
	get(t, oneRequest(), sparePort, "/")
	if err := syscall.Kill(second, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.want("STOPPING=1\n")
	p.ends(0)
}

// A client that connects while nobody runs is answered when somebody does.
func TestASocketOfSystemdKeepsWhoIsEarly(t *testing.T) {
	address, _, _ := origin(t, "hello")
	m := newServiceManager(t)
	socket, port := systemdSocket(t)
	_, early := ask(t, port, "/")
	p := startGroup(t, m.activated(sluice(t, "run", "--config", write(t, siteConfig(port, address, ""))), socket))
	if r := wantResponse(t, early, "hello"); r.StatusCode != http.StatusOK {
		t.Errorf("status %d", r.StatusCode)
	}
	p.signal(syscall.SIGTERM)
	p.ends(0)
}
