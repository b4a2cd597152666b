package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// origin starts an origin that answers all requests with text, but those for /held only when release is closed; arrived tells of them.
func origin(t *testing.T, text string) (address string, arrived chan struct{}, release chan struct{}) {
	arrived, release = make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/held" {
			arrived <- struct{}{}
			select {
			case <-release:
			case <-q.Context().Done():
			}
		}
		io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), arrived, release
}

// siteConfig is a config with one site on a port of loopback, without access log and admin server.
func siteConfig(port int, to, more string) string {
	return fmt.Sprintf("sites: { \"http://:%d\": { to: %q } }\nlisteners: { %d: { addresses: 127.0.0.1 } }\nadmin: off\nlog: { access: off }\n%s", port, to, port, more)
}

// ask sends a request on a new connection and returns it with its reader.
func ask(t *testing.T, port int, path string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", path)
	return c, bufio.NewReader(c)
}

// wantResponse reads a response whose content is text.
func wantResponse(t *testing.T, r *bufio.Reader, text string) *http.Response {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || string(content) != text {
		t.Errorf("%d %q, %v; want %q", response.StatusCode, content, err, text)
	}
	return response
}

func TestRunServesUntilItIsToldToEnd(t *testing.T) {
	address, _, _ := origin(t, "hello")
	port := freePort(t)
	c := sluice(t, "run")
	rewrite(t, c.Dir+"/sluice.yaml", siteConfig(port, address, ""))
	p := start(t, c) // finds ./sluice.yaml
	p.await("msg=started")
	if status, content := get(t, newClient(t), port, "/"); status != 200 || content != "hello" {
		t.Errorf("%d %q", status, content)
	}
	p.signal(os.Interrupt)
	p.await("msg=stopped")
	p.ends(0)
}

func TestABadConfigNeverStarts(t *testing.T) {
	stdout, stderr, status := outcome(t, sluice(t, "run", "--config", write(t, badConfig)))
	if status != 2 || stdout != "" || !strings.Contains(stderr, ":3:5: error[unknown-key]") || strings.Contains(stderr, "msg=listening") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestAPortInUseIsToldInPlainWords(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, stderr, status := outcome(t, sluice(t, "run", "--config", write(t, siteConfig(ln.Addr().(*net.TCPAddr).Port, "127.0.0.1:1", ""))))
	want := fmt.Sprintf("sluice: listen on %s: another process listens there already", ln.Addr())
	if status != 1 || !strings.Contains(stderr, want) {
		t.Errorf("status %d, want 1 and %q\n%s", status, want, stderr)
	}
}

func TestStopLetsExchangesFinish(t *testing.T) {
	address, arrived, release := origin(t, "whole")
	port := freePort(t)
	p := runConfig(t, siteConfig(port, address, ""))
	_, idle := ask(t, port, "/")
	wantResponse(t, idle, "whole")
	fresh, _ := ask(t, port, "/")
	silent, err := net.Dial("tcp", fresh.RemoteAddr().String()) // has sent nothing yet
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	conn, busy := ask(t, port, "/held")
	<-arrived
	p.signal(syscall.SIGTERM)
	p.await("stopping: exchanges that run may finish")
	if _, err := idle.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection ends with %v", err)
	}
	if _, err := silent.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the silent connection ends with %v", err)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		t.Error("a connection was accepted")
		c.Close()
	}
	close(release)
	if r := wantResponse(t, busy, "whole"); !r.Close {
		t.Error("the last response does not say that the connection ends")
	}
	conn.Close()
	p.await("msg=stopped")
	p.ends(0)
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	address, arrived, _ := origin(t, "never")
	port := freePort(t)
	p := runConfig(t, siteConfig(port, address, "limits: { drain_timeout: 1h }"))
	_, busy := ask(t, port, "/held")
	<-arrived
	p.signal(syscall.SIGTERM)
	p.await("stopping: exchanges that run may finish")
	p.signal(syscall.SIGINT)
	p.await("stopping at once")
	p.await("connections were cut off")
	p.ends(0)
	if r, err := http.ReadResponse(busy, nil); err == nil && r.StatusCode < 500 {
		t.Errorf("the response is %s", r.Status)
	}
}

func TestStopWaitsNoLongerThanTheDrainTimeout(t *testing.T) {
	address, arrived, _ := origin(t, "never")
	for _, limit := range []string{"50ms", "off"} {
		port := freePort(t)
		p := runConfig(t, siteConfig(port, address, "limits: { drain_timeout: "+limit+" }"))
		ask(t, port, "/held")
		<-arrived
		p.signal(syscall.SIGTERM)
		p.await("connections were cut off")
		p.ends(0)
	}
}

func TestReloadChangesWhatHasChanged(t *testing.T) {
	first, _, _ := origin(t, "first")
	second, arrived, release := origin(t, "second")
	port, other := freePort(t), freePort(t)
	name := write(t, siteConfig(port, first, ""))
	p := start(t, sluice(t, "run", "--config", name))
	p.await("msg=started")
	kept, reader := ask(t, port, "/")
	wantResponse(t, reader, "first")

	rewrite(t, name, badConfig)
	p.signal(syscall.SIGHUP)
	p.await("the new config is refused; the old one stays in force")
	if line := p.await(":3:5 error=unknown-key"); !strings.Contains(line, `source=">>too<<: 127.0.0.1:1" suggestion="did you mean`) {
		t.Error(line)
	}
	fmt.Fprint(kept, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	wantResponse(t, reader, "first")

	both := fmt.Sprintf("sites: { \"http://:%d\": { to: %q }, \"http://:%d\": { to: %q } }\nadmin: off\nlog: { access: off }\n", port, second, other, second)
	both += fmt.Sprintf("listeners: { %d: { addresses: 127.0.0.1 }, %d: { addresses: 127.0.0.1 } }\n", port, other)
	rewrite(t, name, both)
	p.signal(syscall.SIGHUP)
	p.await(fmt.Sprintf("msg=listening address=127.0.0.1:%d", other))
	p.await("msg=reloaded")
	fmt.Fprint(kept, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	wantResponse(t, reader, "second")

	_, busy := ask(t, other, "/held")
	<-arrived
	rewrite(t, name, siteConfig(port, second, ""))
	p.signal(syscall.SIGHUP)
	p.await(fmt.Sprintf(`msg="no longer listening" address=127.0.0.1:%d`, other))
	p.await("msg=reloaded")
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", other)); err == nil {
		t.Error("the listener that is gone accepts")
		c.Close()
	}
	close(release)
	wantResponse(t, busy, "second")
	p.signal(syscall.SIGTERM)
	p.ends(0)
}

func TestReloadAndStatusAskTheRunningProcess(t *testing.T) {
	address, _, _ := origin(t, "hello")
	port := freePort(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	config := strings.Replace(siteConfig(port, address, ""), "admin: off", "admin: { listen: \"unix:"+socket+"\" }", 1)
	name := write(t, config)
	p := start(t, sluice(t, "run", "--config", name))
	p.await("msg=started")
	get(t, newClient(t), port, "/")

	stdout, stderr, status := outcome(t, sluice(t, "status", "--admin", socket))
	for _, want := range []string{"config     " + name + ", generation 1 since ", "listeners  127.0.0.1:" + strconv.Itoa(port), "http://" + address + "  up     1       0       1     1         0\n"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout, stderr)
		}
	}
	if stdout, _, status := outcome(t, sluice(t, "status", "--admin", socket, "--json")); status != 0 || !strings.Contains(stdout, `"generation": 1,`) {
		t.Errorf("status %d\n%s", status, stdout)
	}
	if stdout, stderr, status := outcome(t, sluice(t, "reload", "--admin", socket)); status != 0 || stdout != "reloaded: generation 2 is in force\n" {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	p.await("msg=reloaded generation=2")
	rewrite(t, name, badConfig)
	_, stderr, status = outcome(t, sluice(t, "reload", "--admin", socket))
	if status != 2 || !strings.Contains(stderr, name+":3:5: error[unknown-key]") || !strings.Contains(stderr, "^^^ did you mean \"to\"?\n") || !strings.HasSuffix(stderr, "the old config stays in force\n") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	rewrite(t, name, strings.Replace(config, "log: {", "log: { file: /nonexistent/x.log,", 1))
	_, stderr, status = outcome(t, sluice(t, "reload", "--admin", socket))
	if status != 1 || !strings.Contains(stderr, "log.file: open /nonexistent/x.log: no such file or directory; nothing has changed\n") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	get(t, newClient(t), port, "/")
	p.signal(os.Interrupt)
	p.ends(0)
	if _, stderr, status := outcome(t, sluice(t, "status", "--admin", socket)); status != 1 || !strings.Contains(stderr, "no Sluice answers at "+socket) {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestAReloadThatCannotListenChangesNothing(t *testing.T) {
	address, _, _ := origin(t, "hello")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := freePort(t)
	name := write(t, siteConfig(port, address, ""))
	p := start(t, sluice(t, "run", "--config", name))
	p.await("msg=started")
	rewrite(t, name, siteConfig(taken.Addr().(*net.TCPAddr).Port, address, ""))
	p.signal(syscall.SIGHUP)
	p.await("another process listens there already")
	rewrite(t, name, strings.Replace(siteConfig(port, address, ""), "addresses: 127.0.0.1", "addresses: [127.0.0.1, 0.0.0.0]", 1))
	p.signal(syscall.SIGHUP)
	p.await("which takes the same port, is listened on as well")
	if status, content := get(t, newClient(t), port, "/"); status != 200 || content != "hello" {
		t.Errorf("%d %q", status, content)
	}
	p.signal(syscall.SIGTERM)
	p.ends(0)
}

func TestServeNeedsNoFile(t *testing.T) {
	one, _, _ := origin(t, "one")
	two, _, _ := origin(t, "two")
	port := freePort(t)
	p := start(t, sluice(t, "serve", "--to", one, "--to", two, "--listen", fmt.Sprintf("127.0.0.1:%d", port)))
	p.await("msg=started")
	client, seen := newClient(t), map[string]int{}
	for range 4 {
		_, content := get(t, client, port, "/")
		seen[content]++
	}
	if seen["one"] != 2 || seen["two"] != 2 {
		t.Errorf("answers %v", seen)
	}
	apply := sluice(t, "apply", write(t, "sites: { http://: { to: "+one+" } }\n"))
	apply.Env = p.cmd.Env // with its socket
	if _, stderr, status := outcome(t, apply); status != 1 || !strings.Contains(stderr, "--unsaved applies it all the same") || strings.Contains(stderr, "save=false") {
		t.Errorf("status %d, and no word of --unsaved: %s", status, stderr)
	}
	p.signal(syscall.SIGHUP) // no file to read again
	p.ends(0)
	if n := strings.Count(p.stdout.String(), `"status":200`); n != 4 {
		t.Errorf("%d lines in the access log:\n%s", n, p.stdout.String())
	}
}

func TestServeAnswersOnlyForItsName(t *testing.T) {
	address, _, _ := origin(t, "shop")
	port := freePort(t)
	p := start(t, sluice(t, "serve", "--to", address, "--from", fmt.Sprintf("http://shop.test:%d", port), "--listen", fmt.Sprintf("127.0.0.1:%d", port)))
	p.await("msg=started")
	for host, want := range map[string]int{"shop.test": 200, "other.test": 421} {
		q, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
		q.Host = host
		r, err := newClient(t).Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != want {
			t.Errorf("%s is answered %d, want %d", host, r.StatusCode, want)
		}
	}
}

func TestTheDefaultAdminSocketIsNotWorthARefusal(t *testing.T) {
	ports := []int{freePort(t), freePort(t)}
	first := sluice(t, "serve", "--to", "127.0.0.1:1", "--listen", fmt.Sprintf("127.0.0.1:%d", ports[0]))
	second := sluice(t, "serve", "--to", "127.0.0.1:1", "--listen", fmt.Sprintf("127.0.0.1:%d", ports[1]))
	second.Env = first.Env // with the same runtime directory
	start(t, first).await("msg=started")
	p := start(t, second)
	p.await("the admin socket is not available")
	p.await("msg=started")
}

func TestAnAdminAddressThatIsTakenIsAnError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	text := strings.Replace(siteConfig(freePort(t), "127.0.0.1:1", ""), "admin: off", fmt.Sprintf("admin: { listen: %q }", ln.Addr()), 1)
	if _, stderr, status := outcome(t, sluice(t, "run", "--config", write(t, text))); status != 1 || !strings.Contains(stderr, "sluice: admin: ") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestALogReaderThatHasGoneDoesNoHarm(t *testing.T) {
	address, _, _ := origin(t, "hello")
	port := freePort(t)
	text := strings.Replace(siteConfig(port, address, ""), "access: off", "access: { file: stdout }", 1)
	c := sluice(t, "run", "--config", write(t, text))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout = w
	p := start(t, c)
	w.Close()
	r.Close()
	p.await("msg=started")
	get(t, newClient(t), port, "/")
	p.await("the access log can't be written")
	if status, _ := get(t, newClient(t), port, "/"); status != 200 {
		t.Errorf("status %d", status)
	}
	p.signal(syscall.SIGTERM)
	p.ends(0)
}

func TestTheDescriptorLimitIsRaised(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max <= 300 {
		t.Skip("the hard limit of descriptors is too low to tell")
	}
	c := sluice(t)
	admin := filepath.Join(t.TempDir(), "s")
	text := strings.Replace(siteConfig(freePort(t), "127.0.0.1:1", ""), "admin: off", "admin: { listen: \"unix:"+admin+"\" }", 1)
	sh := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -S -n 300; exec "$0" run --config "$1"`, c.Path, write(t, text))
	sh.Env = c.Env
	start(t, sh).await("msg=started")
	conn, err := net.Dial("unix", admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.0\r\nHost: a\r\n\r\n")
	metrics, err := io.ReadAll(conn)
	_, after, _ := strings.Cut(string(metrics), "\nprocess_max_fds ")
	number, _, _ := strings.Cut(after, "\n")
	if got, _ := strconv.ParseFloat(number, 64); err != nil || got < float64(limit.Max-1) { // Go leaves one
		t.Errorf("%v, limit %q, want %d", err, number, limit.Max)
	}
}
