package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/observe/metric"
)

func sources() Sources {
	return Sources{
		Status: func() Status {
			return Status{Version: "1.2.3", PID: 42, Generation: 7, Pools: []Pool{{Name: "shop"}}}
		},
		Metrics: func(w io.Writer, f metric.Format) error {
			_, err := io.WriteString(w, []string{metric.Text: "sluice_requests_total 5\n", metric.OpenMetrics: "# EOF\n"}[f])
			return err
		},
		Reload:   func() Outcome { return Outcome{Generation: 8, ETag: "8"} },
		Confirm:  func() Outcome { return Outcome{Status: 409, Error: "no config is on trial"} },
		Rollback: func() Outcome { return Outcome{Generation: 9} },
		Log:      slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T, s Settings) *Server {
	t.Helper()
	srv, err := New(s, sources())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// client returns a client whose connections all go to address: a path or host:port.
func client(t *testing.T, address string) *http.Client {
	network := "tcp"
	if strings.Contains(address, "/") {
		network = "unix"
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// asks returns a client for a socket.
func asks(t *testing.T, path string) *Client {
	t.Helper()
	c, err := NewClient(ClientSettings{Address: path})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testToken is long enough.
const testToken = "0123456789abcdef"

// ask makes a request without content and returns status, content and fields.
func ask(t *testing.T, c *http.Client, method, url string, fields ...string) (int, string, http.Header) {
	t.Helper()
	return exchange(t, c, method, url, nil, fields)
}

// exchange makes a request and returns status, content and fields.
func exchange(t *testing.T, c *http.Client, method, url string, content io.Reader, fields []string) (int, string, http.Header) {
	t.Helper()
	q, err := http.NewRequest(method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		q.Header.Set(fields[i], fields[i+1])
	}
	a, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text), a.Header
}

func TestAnswersStatusAndMetricsOnASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	srv := start(t, Settings{Listen: "unix:" + path})
	if srv.Address() != path || srv.MetricsAddress() != "" {
		t.Errorf("addresses %q and %q", srv.Address(), srv.MetricsAddress())
	}
	c := client(t, path)
	code, content, fields := ask(t, c, "GET", "http://sluice/v1/status")
	var s Status
	if err := json.Unmarshal([]byte(content), &s); err != nil || code != 200 || s.Generation != 7 || s.PID != 42 {
		t.Errorf("%d %s %v", code, content, err)
	}
	if fields.Get("Content-Type") != "application/json" || fields.Get("Cache-Control") != "no-store" {
		t.Error(fields)
	}
	if strings.Contains(content, "null") {
		t.Errorf("a list is null: %s", content)
	}
	for _, resource := range []string{"/metrics", "/v1/metrics"} {
		code, content, fields := ask(t, c, "GET", "http://sluice"+resource)
		if code != 200 || content != "sluice_requests_total 5\n" || fields.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
			t.Errorf("%s: %d %q %v", resource, code, content, fields)
		}
	}
	if code, content, fields := ask(t, c, "HEAD", "http://sluice/metrics"); code != 200 || content != "" || fields.Get("Content-Length") != "24" {
		t.Errorf("HEAD: %d %q %v", code, content, fields)
	}
}

func TestMetricsComeInTheFormatThatIsAskedFor(t *testing.T) {
	srv := start(t, Settings{Listen: Off, Metrics: "127.0.0.1:0"})
	q, err := http.NewRequest("GET", "http://"+srv.MetricsAddress()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Add("Accept", "text/plain;q=0.5")
	q.Header.Add("Accept", "application/openmetrics-text")
	r, err := client(t, srv.MetricsAddress()).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if got := r.Header.Get("Content-Type"); err != nil || string(content) != "# EOF\n" || got != metric.OpenMetrics.ContentType() || r.Header.Get("Vary") != "Accept" {
		t.Errorf("%q %v %v", content, r.Header, err)
	}
}

func TestErrorsAreJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	start(t, Settings{Listen: path})
	c := client(t, path)
	f := func(method, resource string, want int) {
		t.Helper()
		code, content, fields := ask(t, c, method, "http://sluice"+resource)
		var e apiError
		if err := json.Unmarshal([]byte(content), &e); err != nil || code != want || e.Error.Status != want || e.Error.Message == "" {
			t.Errorf("%s %s: %d %s %v", method, resource, code, content, err)
		}
		if want == 405 && !strings.HasPrefix(fields.Get("Allow"), "GET, HEAD") {
			t.Error("405 without Allow")
		}
	}
	f("GET", "/", 404)
	f("GET", "/v1/status/", 404)
	f("GET", "/v1//status", 404)
	f("GET", "/v1/x/../status", 404)
	f("POST", "/v1/status", 405)
	f("DELETE", "/metrics", 405)
}

func TestSocketIsForItsUserOnly(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "admin.sock")
	srv := start(t, Settings{Listen: path})
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|socketMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("after Close there is still %v", left)
	}
}

func TestReplacesTheSocketOfADeadProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	start(t, Settings{Listen: path})
	if code, _, _ := ask(t, client(t, path), "GET", "http://sluice/v1/status"); code != 200 {
		t.Error(code)
	}
}

func TestRefusesASocketThatIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	start(t, Settings{Listen: path})
	if _, err := New(Settings{Listen: path}, sources()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Error(err)
	}
	if code, _, _ := ask(t, client(t, path), "GET", "http://sluice/v1/status"); code != 200 {
		t.Error("the first server does not answer any more")
	}
}

func TestRefusesBadAddresses(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for listen, want := range map[string]string{
		file:                                    "not a socket",
		filepath.Join(folder, "none", "a.sock"): "no such file",
		"/" + strings.Repeat("x", 200):          "longer than",
		"0.0.0.0:0":                             "not on loopback",
		":0":                                    "not on loopback",
		"example.com:2019":                      "not on loopback",
		"admin.sock":                            "not on loopback",
	} {
		if srv, err := New(Settings{Listen: listen}, sources()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", listen, err)
			if err == nil {
				srv.Close()
			}
		}
	}
}

func TestLoopbackAnswersOnlyUnderItsOwnName(t *testing.T) {
	srv := start(t, Settings{Listen: "127.0.0.1:0", Token: testToken})
	c := client(t, srv.Address())
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:2019": 200, "127.0.0.1:2019": 200, "127.9.9.9": 200, "[::1]:2019": 200, "[::ffff:127.0.0.1]": 200,
		"evil.example": 421, "localhost.evil.example": 421, "evil.example:2019": 421, "127.0.0.1.evil.example": 421, "192.0.2.1": 421,
	} {
		if code, _, _ := ask(t, c, "GET", "http://"+host+"/v1/status", "Authorization", "Bearer "+testToken); code != want {
			t.Errorf("Host %s: %d, want %d", host, code, want)
		}
	}
	if code, _, _ := ask(t, c, "GET", "http://localhost/v1/status", "Origin", "http://evil.example", "Authorization", "Bearer "+testToken); code != 403 {
		t.Errorf("another origin: %d", code)
	}
}

func TestMetricsListenerAnswersMetricsAlone(t *testing.T) {
	srv := start(t, Settings{Listen: Off, Metrics: "0.0.0.0:0"})
	if srv.Address() != "" {
		t.Error("the admin API is on")
	}
	c := client(t, srv.MetricsAddress())
	for resource, want := range map[string]int{"/metrics": 200, "/v1/status": 404, "/v1/metrics": 404} {
		if code, _, _ := ask(t, c, "GET", "http://proxy.internal:9100"+resource); code != want {
			t.Errorf("%s: %d", resource, code)
		}
	}
}

func TestApplyMovesListenersAndKeepsWhatStays(t *testing.T) {
	folder := t.TempDir()
	first, second := filepath.Join(folder, "1.sock"), filepath.Join(folder, "2.sock")
	srv := start(t, Settings{Listen: first})
	before := srv.admin
	if err := srv.Apply(Settings{Listen: "unix:" + first, Metrics: "127.0.0.1:0"}); err != nil || srv.admin != before || srv.metrics == nil {
		t.Errorf("%v, or the listener changed", err)
	}
	if err := srv.Apply(Settings{Listen: second, Metrics: "192.0.2.1:1"}); err == nil || srv.admin != before {
		t.Errorf("half a change was made: %v", err)
	}
	if _, err := os.Lstat(second); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the socket of a failed change is left")
	}
	if err := srv.Apply(Settings{Listen: second}); err != nil {
		t.Fatal(err)
	}
	srv.retired.Wait()
	if _, err := os.Lstat(first); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the old socket is left")
	}
	if code, _, _ := ask(t, client(t, second), "GET", "http://sluice/v1/status"); code != 200 || srv.metrics != nil {
		t.Error(code)
	}
	if err := srv.Apply(Settings{Listen: Off}); err != nil || srv.Address() != "" {
		t.Error(err)
	}
}

func TestDefaultSocketIsInAFolderOfTheUser(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("XDG_RUNTIME_DIR", "")
	want := filepath.Join(temporary, fmt.Sprintf("sluice-%d", os.Getuid()), "admin.sock")
	if os.Getuid() == 0 {
		want = "/run/sluice/admin.sock"
	}
	if got := DefaultSocket(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFolderOfTheDefaultSocketIsMadeAndChecked(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "a", "sluice", "admin.sock")
	l, err := listenUnix(path, true)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != folderMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(path, true); err == nil || !strings.Contains(err.Error(), "other users") {
		t.Errorf("a folder that all can write to: %v", err)
	}
	link := filepath.Join(parent, "link")
	if err := os.Symlink(parent, link); err != nil {
		t.Skip(err)
	}
	if _, err := listenUnix(filepath.Join(link, "admin.sock"), true); err == nil {
		t.Error("a link was taken for the folder")
	}
	if os.Getuid() == 0 {
		other := filepath.Join(parent, "other")
		os.Mkdir(other, 0o700)
		os.Chown(other, 12345, 12345)
		if _, err := listenUnix(filepath.Join(other, "admin.sock"), true); err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("a folder of another user: %v", err)
		}
	}
}

func TestAFailureOfMetricsIsAnAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	s := sources()
	s.Metrics = func(w io.Writer, _ metric.Format) error {
		io.WriteString(w, "half")
		return errors.New("broken")
	}
	srv, err := New(Settings{Listen: path}, s)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	code, content, _ := ask(t, client(t, path), "GET", "http://sluice/metrics")
	if code != 500 || strings.Contains(content, "half") || strings.Contains(content, "broken") {
		t.Errorf("%d %s", code, content)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLimited(inner, 1)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		second <- err
	}()
	select {
	case <-second:
		t.Error("a second connection was taken")
	default:
	}
	first.Close()
	first.Close() // gives back one token, not two
	if err := <-second; err != nil {
		t.Error(err)
	}
	l.free <- struct{}{}
	go func() {
		_, err := l.Accept()
		second <- err
	}()
	l.Close()
	if err := <-second; err == nil {
		t.Error("Accept goes on after Close")
	}
}

func TestHeadsAreLimited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	start(t, Settings{Listen: path})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head := append([]byte("GET /v1/status HTTP/1.1\r\nHost: x\r\nX: "), bytes.Repeat([]byte("x"), 2*headBytesMax)...)
	if _, err := c.Write(append(head, "\r\n\r\n"...)); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(c).ReadString('\n')
	if !strings.Contains(line, "431") {
		t.Errorf("a head that is too long is answered %q", line)
	}
}

// A reload may move the listener that it was asked on: the answer still comes.
func TestARequestMayMoveItsOwnListener(t *testing.T) {
	folder := t.TempDir()
	first, second := filepath.Join(folder, "1.sock"), filepath.Join(folder, "2.sock")
	var srv *Server
	of := sources()
	of.Reload = func() Outcome {
		if err := srv.Apply(Settings{Listen: second}); err != nil {
			return Outcome{Error: err.Error()}
		}
		return Outcome{Generation: 9}
	}
	srv, err := New(Settings{Listen: first}, of)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if r, err := asks(t, first).Reload(); err != nil || r.Generation != 9 {
		t.Errorf("%+v, %v", r, err)
	}
	if s, err := asks(t, second).Status(); err != nil || s.PID != 42 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := asks(t, filepath.Join(folder, "none")).Status(); err == nil || !strings.Contains(err.Error(), "no Sluice answers at") {
		t.Error(err)
	}
}
