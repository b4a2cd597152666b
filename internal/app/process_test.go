package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/internal/admin"
	"sluice/internal/config"
)

// A stage is a process under test with its config, admin socket and log files.
type stage struct {
	t      *testing.T
	p      *Process
	text   string // of the config; read again by a reload
	folder string
	port   int
}

// newStage starts a process. In the config, PORT is a free port and DIR a folder of the test.
func newStage(t *testing.T, d Driver, text string) *stage {
	t.Helper()
	folder, err := os.MkdirTemp("", "app") // not t.TempDir: its path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	t.Cleanup(func() { runtime.GOMAXPROCS(processors) })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, folder: folder, port: ln.Addr().(*net.TCPAddr).Port}
	ln.Close()
	s.set(text)
	s.p, err = Start(Program{File: "sluice.yaml", Version: "1.2.3", Driver: d, Load: s.load})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.p.Stop(context.Background()) })
	return s
}

// set changes the config.
func (s *stage) set(text string) {
	s.text = strings.NewReplacer("PORT", fmt.Sprint(s.port), "DIR", s.folder).Replace(text)
}

func (s *stage) load(d *config.Decoder) *config.Config {
	return config.Load(d, config.Text("sluice.yaml", s.text), "sluice.yaml")
}

// reload applies a further config.
func (s *stage) reload(text string) {
	s.t.Helper()
	s.set(text)
	if err := s.p.Reload(); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends one request on a connection of its own.
func (s *stage) ask(status int, content string) {
	s.t.Helper()
	c := dialClient(s.t, fmt.Sprintf("127.0.0.1:%d", s.port))
	defer c.Close()
	c.ask("/")
	c.want(status, content)
}

// admin asks the admin server.
func (s *stage) admin(path string) string {
	s.t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", filepath.Join(s.folder, "admin.sock"))
	}}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://sluice" + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 {
		s.t.Fatalf("%s: %d, %v", path, r.StatusCode, err)
	}
	return string(content)
}

// wantMetrics waits for lines of the metrics: exchanges are counted after their last byte has been sent.
func (s *stage) wantMetrics(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		eventually(s.t, line, func() bool { return strings.Contains(s.admin("/metrics"), line+"\n") })
	}
}

// wantFile waits until a log file holds text.
func (s *stage) wantFile(name, text string) {
	s.t.Helper()
	eventually(s.t, name+" holds "+text, func() bool {
		if err := errors.Join(s.p.access.Flush(), s.p.log.Flush()); err != nil {
			s.t.Fatal(err)
		}
		return strings.Contains(s.file(name), text)
	})
}

func (s *stage) file(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

// stageConfig is a config with everything in the stage's folder.
func stageConfig(to string) string {
	return "sites: { \"http://:PORT\": { to: \"" + to + "\" } }\nlisteners: { PORT: { addresses: 127.0.0.1 } }\nadmin: { listen: \"unix:DIR/admin.sock\" }\n" +
		"log: { level: info, file: DIR/error.log, access: { file: DIR/access.log } }\n"
}

func TestShowsWhatIsGoingOn(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "hello")
		s := newStage(t, d, stageConfig(o.address))
		for range 3 {
			s.ask(200, "hello")
		}
		endpoint := fmt.Sprintf(`{pool="http://%s",endpoint="http://%s"}`, o.address, o.address)
		s.wantMetrics(
			"sluice_endpoint_attempts_total"+endpoint+" 3", "sluice_endpoint_failures_total"+endpoint+" 0",
			`sluice_config_generation 1`, `sluice_config_reloads_total{result="refused"} 0`, `sluice_loop_panics_total{loop="0"} 0`,
			`sluice_limits_reached_total{limit="limits.connections"} 0`,
			fmt.Sprintf(`sluice_requests_total{site="http://:%d",class="2xx"} 3`, s.port),
			fmt.Sprintf("process_max_fds %v", float64(descriptorsMax())),
		)
		var status admin.Status
		if err := json.Unmarshal([]byte(s.admin("/v1/status")), &status); err != nil {
			t.Fatal(err)
		}
		if status.Version != "1.2.3" || filepath.Base(status.Config) != "sluice.yaml" || !filepath.IsAbs(status.Config) || status.Generation != 1 || status.Sites != 1 || status.Draining || status.PID != os.Getpid() ||
			len(status.Loops) != s.p.engine.Drivers() || len(status.Listeners) != 1 || status.Listeners[0].Address != fmt.Sprintf("127.0.0.1:%d", s.port) {
			t.Errorf("got %+v", status)
		}
		if ep := status.Pools[0].Endpoints[0]; ep.Requests != 3 || ep.Weight != 1 || ep.State != "up" || ep.Address != "http://"+o.address {
			t.Errorf("got %+v", ep)
		}
	})
}

func TestOneLoopForEachProcessorUnlessSetOtherwise(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1")+"limits: { loops: 3 }")
	if n, places := s.p.engine.Drivers(), runtime.GOMAXPROCS(0); n != 3 || places != 4 {
		t.Errorf("%d loops, %d places in the scheduler", n, places)
	}
	s = newStage(t, Native, stageConfig("127.0.0.1:1"))
	if n := s.p.engine.Drivers(); n != processors {
		t.Errorf("%d loops, %d processors", n, processors)
	}
	s = newStage(t, Native, stageConfig("127.0.0.1:1")+"limits: { loops: 1 }")
	if n, places := s.p.engine.Drivers(), runtime.GOMAXPROCS(0); n != 1 || places != 1 {
		t.Errorf("%d loops, %d places in the scheduler", n, places)
	}
}

func TestAReloadKeepsWhatStays(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		stays, gone := newOrigin(t, "stays"), newOrigin(t, "gone")
		text := stageConfig(stays.address)
		s := newStage(t, d, strings.Replace(text, "} }\n", "}, \"http://gone.test:PORT\": { to: \""+gone.address+"\" } }\n", 1))
		s.ask(200, "stays")
		s.wantMetrics(fmt.Sprintf(`sluice_endpoint_attempts_total{pool="http://%s",endpoint="http://%s"} 0`, gone.address, gone.address))
		s.reload(text)
		s.ask(200, "stays")
		s.wantMetrics(fmt.Sprintf(`sluice_endpoint_attempts_total{pool="http://%s",endpoint="http://%s"} 2`, stays.address, stays.address), `sluice_config_generation 2`)
		if text := s.admin("/metrics"); strings.Contains(text, gone.address) || strings.Contains(text, "gone.test") {
			t.Errorf("series of what is gone are still there:\n%s", text)
		}
	})
}

// A reload that changes limits of all connections to origins keeps the endpoints: what they have counted, their idle connections, and who waits for one.
func TestAReloadOfLimitsKeepsConnections(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "hello")
		text := strings.Replace(stageConfig(o.address), `"`+o.address+`"`, `{ servers: ["`+o.address+`"], max_connections: MAX }`, 1) + "limits: { loops: 1, trailers: NKiB }\n"
		config := func(connections, kib int) string {
			return strings.NewReplacer("MAX", fmt.Sprint(connections), "NKiB", fmt.Sprint(kib)+"KiB").Replace(text)
		}
		s := newStage(t, d, config(1, 8))
		endpoint := fmt.Sprintf(`{pool="http://%s",endpoint="http://%s"} `, o.address, o.address)
		s.ask(200, "hello")
		s.wantMetrics("sluice_endpoint_idle_connections" + endpoint + "1")
		s.reload(config(1, 9))
		s.wantMetrics("sluice_endpoint_idle_connections"+endpoint+"1", "sluice_endpoint_attempts_total"+endpoint+"1")

		var clients []*client
		for range 3 {
			c := dialClient(t, fmt.Sprintf("127.0.0.1:%d", s.port))
			c.ask("/held")
			clients = append(clients, c)
		}
		<-o.arrived
		s.wantMetrics("sluice_endpoint_waits_total" + endpoint + "2")
		s.reload(config(1, 10))
		s.wantMetrics("sluice_endpoint_connections"+endpoint+"1", "sluice_endpoint_waits_total"+endpoint+"2")
		s.reload(config(3, 10))
		<-o.arrived
		<-o.arrived
		s.reload(config(1, 10))
		close(o.release)
		for _, c := range clients {
			c.want(200, "hello")
		}
		s.wantMetrics("sluice_endpoint_connections"+endpoint+"1", "sluice_endpoint_attempts_total"+endpoint+"4")
	})
}

// A listener gives way to a wider or a narrower one of its port while clients connect all the time, and none of them notices.
func TestAReplacedListenerLosesNoConnection(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		config := func(addresses string) string {
			return strings.NewReplacer("addresses: 127.0.0.1", "addresses: "+addresses, "to: \"none\"", "respond: { status: 200, body: hello }").Replace(stageConfig("none"))
		}
		s := newStage(t, d, config("127.0.0.1"))
		address := fmt.Sprintf("127.0.0.1:%d", s.port)
		var clients sync.WaitGroup
		end := make(chan struct{})
		for range 4 {
			clients.Go(func() {
				for {
					select {
					case <-end:
						return
					default:
					}
					if err := visit(address); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		held := dialClient(t, address)
		for _, addresses := range []string{"0.0.0.0", "127.0.0.1", `["::"]`, "0.0.0.0", `["127.0.0.1", "::1"]`, "127.0.0.1"} {
			s.reload(config(addresses))
			held.ask("/") // on a connection that was accepted by the first of them
			held.want(200, "hello")
		}
		close(end)
		clients.Wait()
		for addresses, want := range map[string]string{"[0.0.0.0, 127.0.0.1]": "one of them is enough", "[0.0.0.0, 192.0.2.1]": "192.0.2.1"} {
			s.set(config(addresses))
			if err := s.p.Reload(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", addresses, err)
			}
			if got := s.p.Addresses(); !slices.Equal(got, []string{address}) {
				t.Error(got)
			}
			s.ask(200, "hello")
		}
		if other, err := net.Listen("tcp", fmt.Sprintf(":%d", s.port)); err == nil {
			other.Close()
			t.Error("somebody else could listen on the port, too")
		}
	})
}

// visit sends one request on a connection of its own, which it resets, so that thousands of visits leave no ports behind.
func visit(address string) error {
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); err != nil {
		return err
	}
	answer := make([]byte, 15)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		return fmt.Errorf("%q, %w", answer, err)
	}
	return nil
}

func TestABadReloadChangesNothing(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, stageConfig(o.address))
	for text, want := range map[string]string{
		"sitse: {}": `"sitse" is not a setting`,
		strings.Replace(stageConfig(o.address), "DIR/access.log", "DIR/none/access.log", 1): "log.access.file: ",
		strings.Replace(stageConfig(o.address), "DIR/error.log", "DIR/none/error.log", 1):   "log.file: ",
		strings.Replace(stageConfig(o.address), "DIR/admin", "DIR/none/admin", 1):           "admin: ",
	} {
		s.set(text)
		if err := s.p.Reload(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		s.ask(200, "hello")
		s.wantMetrics("sluice_config_generation 1")
	}
}

// A config that shows a fault of the program itself is refused like any other: it must not end a process that runs.
func TestAFaultOfTheProgramIsADiagnostic(t *testing.T) {
	d, cfg, snap := Read(func(*config.Decoder) *config.Config { panic("planted") })
	if !d.Failed() || cfg != nil || snap != nil || d.Diagnostics[0].Code != "internal" || !strings.Contains(d.Diagnostics[0].Text, "planted") {
		t.Errorf("%v %v", d.Diagnostics, cfg)
	}
}

func TestLogsAreOpenedAgain(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, stageConfig(o.address))
	s.ask(200, "hello")
	s.wantFile("access.log", `"status":200`)
	s.wantFile("error.log", "msg=started")
	for _, name := range []string{"access.log", "error.log"} {
		if err := os.Rename(filepath.Join(s.folder, name), filepath.Join(s.folder, name+".1")); err != nil {
			t.Fatal(err)
		}
	}
	s.reload(stageConfig(o.address))
	s.ask(200, "hello")
	s.p.Log().Warn("a message for the new file")
	s.wantFile("access.log", `"status":200`)
	s.wantFile("error.log", "a message for the new file")
	if text := s.file("access.log.1"); strings.Count(text, "\n") != 1 {
		t.Errorf("the old access log holds\n%s", text)
	}
}

func TestTheAccessLogCanBeSwitchedOff(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, stageConfig(o.address))
	s.reload(strings.Replace(stageConfig(o.address), "{ file: DIR/access.log }", "off", 1))
	s.ask(200, "hello")
	s.wantMetrics(fmt.Sprintf(`sluice_requests_total{site="http://:%d",class="2xx"} 1`, s.port))
	if err := s.p.access.Flush(); err != nil {
		t.Fatal(err)
	}
	if text := s.file("access.log"); text != "" {
		t.Errorf("got %q", text)
	}
}

func TestMetricsCanBeSwitchedOff(t *testing.T) {
	s := newStage(t, Native, strings.Replace(stageConfig("127.0.0.1:1"), "admin: {", "admin: { metrics: false,", 1))
	if text := s.admin("/metrics"); strings.Contains(text, "sluice_") {
		t.Errorf("got %s", text)
	}
}

func TestNamesAreLookedUp(t *testing.T) {
	o := newOrigin(t, "hello")
	_, port, _ := net.SplitHostPort(o.address)
	s := newStage(t, Native, stageConfig("localhost:"+port))
	s.ask(200, "hello")
}

func TestWarningsAreLogged(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1")+"pools: { unused: { servers: [127.0.0.1:2] } }\n")
	s.wantFile("error.log", "at=sluice.yaml:5:10 warning=unused-pool")
}

func TestSignalsEndAProcess(t *testing.T) {
	for _, file := range []string{"sluice.yaml", ""} {
		s := newStage(t, Native, stageConfig("127.0.0.1:1"))
		s.p.program.File = file
		signals := MakeSignals()
		ended := make(chan struct{})
		go func() { s.p.Wait(signals); close(ended) }()
		signals.Reload <- syscall.SIGHUP // without a file there is nothing to read again, so this one ends it
		if file != "" {
			s.wantFile("error.log", "msg=reloaded")
			signals.End <- syscall.SIGTERM
		}
		<-ended
		if text := s.file("error.log"); strings.Contains(text, "msg=reloaded") != (file != "") || !strings.Contains(text, "msg=stopped") {
			t.Errorf("file %q:\n%s", file, text)
		}
	}
}

// A signal that ends the process is not lost among others, and it is acted on while a reload runs.
func TestASignalThatEndsIsHeardDuringAReload(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1"))
	entered, gate := make(chan struct{}, 200), make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	load := s.p.program.Load
	s.p.program.Load = func(d *config.Decoder) *config.Config {
		entered <- struct{}{}
		<-gate
		return load(d)
	}
	signals := CatchSignals()
	defer func() {
		for _, c := range []chan os.Signal{signals.End, signals.Reload, signals.Reopen, signals.Upgrade} {
			signal.Stop(c)
		}
		signal.Reset(syscall.SIGPIPE)
	}()
	ended := make(chan struct{})
	go func() { s.p.Wait(signals); close(ended) }()
	raise := func(sig syscall.Signal) {
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	raise(syscall.SIGHUP)
	<-entered
	for range 100 {
		raise(syscall.SIGHUP)
		raise(syscall.SIGUSR1)
	}
	raise(syscall.SIGTERM)
	eventually(t, "it ends", s.p.ending.Load)
	release()
	<-ended
	if len(entered) > 0 {
		t.Error("the config was read again by a process that ends")
	}
}

// Nobody reads the process's own log, and it is full: that costs lines, but neither a reload nor the way to another place.
func TestAStuckLogKeepsNothingFromGoingOn(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.SetWriteDeadline(time.Now().Add(time.Second / 10))
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	w.SetWriteDeadline(time.Time{})
	stderr := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = stderr; w.Close() }()
	began := time.Now()
	text := stageConfig("127.0.0.1:1")
	s := newStage(t, Native, strings.Replace(text, "DIR/error.log", "stderr", 1))
	s.p.ReopenLogs()
	s.reload(text)
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v", took)
	}
	s.p.Log().Info("in the file")
	s.wantFile("error.log", "in the file")
	if text := s.admin("/metrics"); !strings.Contains(text, "sluice_error_log_dropped_lines_total") || strings.Contains(text, "sluice_error_log_dropped_lines_total 0\n") {
		t.Error("what was lost is not counted")
	}
}

// Who is turned away leaves the descriptors to those who are served.
func TestTurnedAwayConnectionsAreAFewOfTheDescriptors(t *testing.T) {
	for descriptors, want := range map[int]int64{0: 64, 60: 3, 256: 16, 1024: 64, 1 << 20: 64} {
		if got := turnAwayLimit(descriptors); got != want {
			t.Errorf("turnAwayLimit(%d) is %d, want %d", descriptors, got, want)
		}
	}
}

func TestConnectionsLeaveRoomForOrigins(t *testing.T) {
	for _, c := range []struct{ setting, descriptors, want int }{
		{0, 1024, 384}, {0, 1 << 20, 524160}, {0, 256, 16}, {0, 100, 16}, {0, 0, 0}, {500, 1024, 500}, {500, 0, 500},
	} {
		if got := connectionsMax(c.setting, c.descriptors); got != c.want {
			t.Errorf("connectionsMax(%d, %d) is %d, want %d", c.setting, c.descriptors, got, c.want)
		}
	}
}
