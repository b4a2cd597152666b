package app

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
	"sluice/internal/observe/accesslog"
	"sluice/internal/observe/collector"
	"sluice/internal/observe/logfile"
)

// withAccess is stageConfig with other settings of the access log.
func withAccess(to, access string) string {
	return strings.Replace(stageConfig(to), "{ file: DIR/access.log }", access, 1)
}

func TestTheAccessLogHasAFormat(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, withAccess(o.address, "{ file: DIR/access.log, format: common, addresses: truncated }"))
	s.ask(200, "hello")
	s.wantFile("access.log", `127.0.0.0 - - [`)
	s.wantFile("access.log", `] "GET / HTTP/1.1" 200 5`+"\n")
	s.reload(withAccess(o.address, "{ file: DIR/access.log, format: combined, addresses: hashed }"))
	s.ask(200, "hello")
	s.wantFile("access.log", `] "GET / HTTP/1.1" 200 5 "-" "-"`+"\n")
	if text := s.file("access.log"); strings.Contains(text, "127.0.0.1") {
		t.Errorf("a whole address is in\n%s", text)
	}
}

// What is logged is said by defaults, site and route, which merge; off removes.
func TestRoutesSayWhatIsLogged(t *testing.T) {
	o := newOrigin(t, "hello")
	text := strings.Replace(stageConfig(o.address), "} }\n", `, routes: [
    { match: /quiet, log: off }, { match: /never, log: { sample: 0% } }, { match: /gone, respond: { status: 410 } },
    { match: /lost, respond: { status: 404 }, log: { only: { status: 404 } } }, { match: /failed, respond: { status: 503 }, log: { sample: 0, only: off } } ] } }`+"\n", 1)
	s := newStage(t, Native, "defaults: { log: { only: { status: [2xx] } } }\n"+text)
	f, err := s.p.access.Follow(100)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := dialClient(t, fmt.Sprintf("127.0.0.1:%d", s.port))
	for _, step := range []struct {
		path   string
		status int
	}{{"/quiet", 200}, {"/never", 200}, {"/gone", 410}, {"/lost", 404}, {"/failed", 503}, {"/", 200}} {
		c.ask(step.path)
		c.want(step.status, map[int]string{200: "hello"}[step.status])
	}
	s.wantFile("access.log", `"path":"/",`)
	var paths []string
	for line := range strings.Lines(s.file("access.log")) {
		_, path, _ := strings.Cut(line, `"path":"`)
		path, _, _ = strings.Cut(path, `"`)
		paths = append(paths, path)
	}
	if got := strings.Join(paths, " "); got != "/lost /failed /" {
		t.Errorf("logged: %s", got)
	}
	for range 6 {
		select {
		case <-f.Lines():
		case <-time.After(patience):
			t.Fatal("who follows sees every exchange")
		}
	}
}

func TestTheAccessLogGoesToSyslog(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	o := newOrigin(t, "hello")
	s := newStage(t, Native, withAccess(o.address, `{ syslog: { address: "udp://`+server.LocalAddr().String()+`", facility: local3, tag: edge } }`))
	s.ask(200, "hello")
	eventually(t, "the line was sent", func() bool {
		if err := s.p.access.Flush(); err != nil {
			t.Fatal(err)
		}
		server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		b := make([]byte, 1<<16)
		n, _, _ := server.ReadFrom(b)
		return strings.HasPrefix(string(b[:n]), "<158>1 ") && strings.Contains(string(b[:n]), " edge ") && strings.HasSuffix(string(b[:n]), "}")
	})
}

func TestADeadSyslogIsReportedOnceAndIsNoReasonNotToStart(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, withAccess(o.address, `{ syslog: { address: "tcp://127.0.0.1:1" } }`))
	for i := range 3 {
		s.ask(200, "hello")
		s.wantMetrics(fmt.Sprintf("sluice_access_log_lines_total %d", i+1))
		if err := s.p.access.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	s.wantFile("error.log", "the access log can't be written")
	s.wantMetrics(`sluice_access_log_dropped_lines_total{reason="write"} 3`)
	if text := s.file("error.log"); strings.Count(text, "the access log can't be written") != 1 || !strings.Contains(text, "tcp:127.0.0.1:1") {
		t.Errorf("got\n%s", text)
	}
}

func TestLogFilesAreOpenedAgainWithoutAReload(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, stageConfig(o.address))
	s.wantFile("error.log", "msg=started")
	for _, name := range []string{"access.log", "error.log"} {
		if err := os.Rename(filepath.Join(s.folder, name), filepath.Join(s.folder, name+".1")); err != nil {
			t.Fatal(err)
		}
	}
	s.p.ReopenLogs()
	s.ask(200, "hello")
	s.p.Log().Warn("a message for the new file")
	s.wantFile("access.log", `"status":200`)
	s.wantFile("error.log", "a message for the new file")
	s.wantMetrics("sluice_config_generation 1")
}

func TestSettingsOfTheLogsBecomePlaces(t *testing.T) {
	read := func(text string) config.Log {
		d := &config.Decoder{}
		cfg := config.Load(d, config.Text("sluice.yaml", "sites: {}\nlog: "+text), "sluice.yaml")
		if d.Failed() {
			t.Fatal(d.Diagnostics)
		}
		return cfg.Log
	}
	for text, want := range map[string]accesslog.Settings{
		"{ access: off }":              {},
		"{ access: {} }":               {To: logfile.Standard{}},
		"{ access: { file: stderr } }": {To: logfile.Standard{Error: true}},
		"{ access: { file: journal, format: combined } }": {
			To: collector.Journal{Socket: "/run/systemd/journal/socket", Tag: "sluice"}, Format: accesslog.Combined,
		},
		"{ access: { syslog: { address: unix:/dev/log, facility: daemon } } }": {
			To: collector.Syslog{Network: "unixgram", Address: "/dev/log", Facility: 3, Tag: "sluice"},
		},
		"{ access: { file: /a.log, rotate: { age: 1d, keep: off, compress: true }, addresses: hashed, hash_key: 0123456789abcdef } }": {
			To:        logfile.Disk{Path: "/a.log", Rotation: logfile.Rotation{Bytes: 100 << 20, Age: 24 * time.Hour, Compress: true}},
			Addresses: accesslog.Hashed, HashKey: "0123456789abcdef",
		},
	} {
		l := read(text)
		got := accessSettings(l.Access)
		if got.To != want.To || got.Format != want.Format || got.Addresses != want.Addresses || got.HashKey != want.HashKey {
			t.Errorf("%s\n got %+v\nwant %+v", text, got, want)
		}
	}
	l := read("{ file: /p.log, rotate: { size: 2MiB, keep: 3 } }")
	if got := processLog(&l); got != (logfile.Disk{Path: "/p.log", Rotation: logfile.Rotation{Bytes: 2 << 20, Keep: 3}}) {
		t.Errorf("got %+v", got)
	}
}
