package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/admin"
	"sluice/internal/config"
)

// A manned stage has a config file on disk, a client of its admin server, and a clock for trials that the test moves.
type manned struct {
	*stage
	client *admin.Client
	over   func() // ends the time of the trial that has begun last
	ended  bool   // the time is no longer waited for
}

// newManned starts a process with a config file that sends to those addresses.
func newManned(t *testing.T, to ...string) *manned {
	t.Helper()
	s := newStage(t, Native, strings.Replace(stageConfig("TO"), `"TO"`, `["`+strings.Join(to, `", "`)+`"]`, 1))
	s.p.Stop(context.Background())
	name := filepath.Join(s.folder, "sluice.yaml")
	if err := os.WriteFile(name, []byte(s.text), 0o640); err != nil {
		t.Fatal(err)
	}
	var err error
	s.p, err = Start(Program{File: name, Load: func(d *config.Decoder) *config.Config { return config.Load(d, config.Disk(), name) }})
	if err != nil {
		t.Fatal(err)
	}
	m := &manned{stage: s}
	s.p.after = func(_ time.Duration, f func()) func() bool {
		m.over, m.ended = f, false
		return func() bool { m.ended = true; return true }
	}
	if m.client, err = admin.NewClient(admin.ClientSettings{Address: filepath.Join(s.folder, "admin.sock")}); err != nil {
		t.Fatal(err)
	}
	return m
}

// apply applies a config that sends to another address; the error that is wanted is part of the outcome's, "" for none.
func (m *manned) apply(to, wantError string, a admin.Application) *admin.Outcome {
	m.t.Helper()
	a.Name, a.Text = "new.yaml", []byte(strings.NewReplacer("PORT", fmt.Sprint(m.port), "DIR", m.folder).Replace(stageConfig(to)))
	o, err := m.client.Apply(a)
	m.wantOutcome(o, err, wantError)
	return o
}

func (m *manned) wantOutcome(o *admin.Outcome, err error, wantError string) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
	if (o.Error == "") != (wantError == "") || !strings.Contains(o.Error, wantError) {
		m.t.Fatalf("got %+v, want the error %q", o, wantError)
	}
}

// holds checks whether the config file sends to an address.
func (m *manned) holds(name, to string) {
	m.t.Helper()
	if text := m.file(name); !strings.Contains(text, to) {
		m.t.Errorf("%s does not send to %s:\n%s", name, to, text)
	}
}

func TestAConfigOverTheAPIIsSaved(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	m.ask(200, "first")
	before := m.apply(second.address, "", admin.Application{Save: true})
	m.ask(200, "second")
	m.holds("sluice.yaml", second.address)
	m.holds("sluice.yaml.previous", first.address)
	if info, err := os.Stat(filepath.Join(m.folder, "sluice.yaml")); err != nil || info.Mode().Perm() != 0o640 {
		t.Error("the file's mode has changed:", info.Mode(), err)
	}
	if s, err := m.client.Status(); err != nil || s.Source != "file" || s.Generation != 2 {
		t.Errorf("%+v %v", s, err)
	}

	o, err := m.client.Rollback()
	m.wantOutcome(o, err, "")
	m.ask(200, "first")
	m.holds("sluice.yaml", first.address)
	if o, err = m.client.Rollback(); err == nil {
		m.wantOutcome(o, err, "no config to go back to")
	}
	m.apply(second.address, "another config has come into force", admin.Application{Save: true, IfMatch: before.ETag})
	m.ask(200, "first")
	m.apply(second.address, "", admin.Application{Save: true, IfMatch: o.ETag})
	m.ask(200, "second")
}

func TestATrialThatNobodyConfirmsEnds(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	if o := m.apply(second.address, "", admin.Application{For: time.Minute, Save: true}); o.Until == nil || time.Until(*o.Until) > time.Minute {
		t.Errorf("%+v", o)
	}
	m.ask(200, "second")
	m.holds("sluice.yaml", first.address)
	if s, err := m.client.Status(); err != nil || s.Source != "api" || s.Until == nil {
		t.Errorf("%+v %v", s, err)
	}
	m.apply(first.address, "on trial", admin.Application{Save: true})
	m.over()
	m.ask(200, "first")
	if o, err := m.client.Confirm(); err == nil {
		m.wantOutcome(o, err, "no config is on trial")
	}
	m.over() // comes too late
	if s, err := m.client.Status(); err != nil || s.Source != "file" || s.Until != nil || s.Generation != 3 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestATrialThatIsConfirmedIsSaved(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	m.apply(second.address, "", admin.Application{For: time.Minute, Save: true})
	o, err := m.client.Confirm()
	m.wantOutcome(o, err, "")
	m.over()
	m.ask(200, "second")
	m.holds("sluice.yaml", second.address)
	if !m.ended || o.Until != nil {
		t.Errorf("the trial goes on: %+v", o)
	}
	o, err = m.client.Reload()
	m.wantOutcome(o, err, "")
	m.ask(200, "second")
}

func TestARollbackEndsATrial(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	m.apply(second.address, "", admin.Application{For: time.Minute, Save: true})
	o, err := m.client.Rollback()
	m.wantOutcome(o, err, "")
	m.ask(200, "first")
	m.holds("sluice.yaml", first.address)
	if !m.ended {
		t.Error("the trial goes on")
	}
}

func TestAReloadEndsATrial(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	m.apply(second.address, "", admin.Application{For: time.Minute})
	o, err := m.client.Reload()
	m.wantOutcome(o, err, "")
	m.over()
	m.ask(200, "first")
	if s, err := m.client.Status(); err != nil || s.Source != "file" || s.Generation != 3 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestAnUnsavedConfigLeavesTheFileAlone(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	if o := m.apply(second.address, "", admin.Application{}); !strings.Contains(o.Note, "is not changed") {
		t.Errorf("%+v", o)
	}
	m.ask(200, "second")
	m.holds("sluice.yaml", first.address)
	o, err := m.client.Rollback()
	m.wantOutcome(o, err, "")
	m.ask(200, "first")
	m.holds("sluice.yaml", first.address)
}

// What could not be read again stays as it was read: the way back is always there.
func TestTheWayBackDoesNotNeedItsFiles(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	page := filepath.Join(m.folder, "404.html")
	if err := os.WriteFile(page, []byte("gone"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(m.folder, "sluice.yaml")
	withPage := strings.Replace(m.text, "] } }\n", "], error_pages: { 404: "+page+" } } }\n", 1)
	if err := os.WriteFile(name, []byte(withPage), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.p.Reload(); err != nil || withPage == m.text {
		t.Fatal(err)
	}
	m.apply(second.address, "", admin.Application{For: time.Minute})
	m.ask(200, "second")
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	m.over()
	m.ask(200, "first")
	if s, err := m.client.Status(); err != nil || s.Generation != 4 || s.Until != nil || s.Source != "file" {
		t.Errorf("%+v %v", s, err)
	}
}

// If the config before can't come back when a trial is over, it is tried again.
func TestTheWayBackIsTriedAgain(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	port := m.port
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	m.apply(second.address, "", admin.Application{For: time.Minute})
	m.ask(200, "second")
	var taken net.Listener
	eventually(t, "the port is free", func() bool {
		taken, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return err == nil
	})
	m.over()
	m.ask(200, "second")
	if s, err := m.client.Status(); err != nil || s.Until == nil {
		t.Errorf("the trial is forgotten: %+v %v", s, err)
	}
	taken.Close()
	m.over()
	m.port = port
	m.ask(200, "first")
}

// A file that somebody has changed is not overwritten, and its change is not lost.
func TestAFileThatWasChangedByHandIsNotOverwritten(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	m.apply(second.address, "", admin.Application{For: time.Minute, Save: true})
	name := filepath.Join(m.folder, "sluice.yaml")
	if err := os.WriteFile(name, []byte(m.text+"# by hand\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := m.client.Confirm()
	m.wantOutcome(o, err, "was changed since it was read")
	if s, err := m.client.Status(); err != nil || s.Until == nil {
		t.Errorf("the trial has ended: %+v %v", s, err)
	}
	o, err = m.client.Rollback()
	m.wantOutcome(o, err, "")
	m.apply(second.address, "was changed since it was read", admin.Application{Save: true})
	if err := m.p.Reload(); err != nil {
		t.Fatal(err)
	}
	m.apply(second.address, "", admin.Application{Save: true})
	m.holds("sluice.yaml.previous", "# by hand")
}

// A rollback tells of included files that have changed: it does not write them.
func TestARollbackTellsOfOtherFiles(t *testing.T) {
	first := newOrigin(t, "first")
	m := newManned(t, first.address)
	more, name := filepath.Join(m.folder, "more.yaml"), filepath.Join(m.folder, "sluice.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(more, fmt.Sprintf("sites: { http://more.test:%d: { respond: { status: 200, body: a } } }\n", m.port))
	write(name, "include: more.yaml\n"+m.text)
	if err := m.p.Reload(); err != nil {
		t.Fatal(err)
	}
	write(more, fmt.Sprintf("sites: { http://more.test:%d: { respond: { status: 200, body: b } } }\n", m.port))
	if err := m.p.Reload(); err != nil {
		t.Fatal(err)
	}
	o, err := m.client.Rollback()
	m.wantOutcome(o, err, "")
	if !strings.Contains(o.Note, "brings other settings") || !strings.Contains(o.Note, "more.yaml") {
		t.Errorf("%+v", o)
	}
	d, err := m.client.Diff("new.yaml", []byte("include: more.yaml\n"+m.text))
	if err != nil || len(d.Changes) != 1 || !strings.Contains(d.Changes[0].Text, "a → b") {
		t.Errorf("%+v %v", d, err)
	}
}

// What somebody has written into the file meanwhile is not lost.
func TestARollbackDoesNotOverwriteWhatItDoesNotKnow(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	m.apply(second.address, "", admin.Application{Save: true})
	name := filepath.Join(m.folder, "sluice.yaml")
	if err := os.WriteFile(name, []byte("# from somebody else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := m.client.Rollback()
	m.wantOutcome(o, err, "")
	if m.file("sluice.yaml") != "# from somebody else\n" || !strings.Contains(o.Note, "was changed since it was read") {
		t.Errorf("%+v: %s", o, m.file("sluice.yaml"))
	}
}

func TestABadConfigOverTheAPIChangesNothing(t *testing.T) {
	o := newOrigin(t, "hello")
	m := newManned(t, o.address)
	f := func(text string, want ...string) {
		t.Helper()
		got, err := m.client.Apply(admin.Application{Name: "new.yaml", Text: []byte(text), Save: true})
		for _, want := range want {
			if err != nil || !strings.Contains(got.Error+got.Messages, want) {
				t.Errorf("%s: %+v, %v: no %q", text, got, err, want)
			}
		}
	}
	f("sitse: {}", `new.yaml:1:1: error[unknown-key]: "sitse" is not a setting`, `did you mean "sites"?`)
	f("include: other/*.yml\nsites: { http://:1: { tp: a } }", "new.yaml:1:10: warning[no-file]: no file matches other/*.yml", `new.yaml:2:23: error[unknown-key]`)
	f(strings.Replace(m.text, "log: {", "log: { file: /nonexistent/x,", 1), "config can't be used", "duplicate")
	m.ask(200, "hello")
	if left, err := filepath.Glob(filepath.Join(m.folder, ".sluice.yaml*")); err != nil || len(left) > 0 {
		t.Errorf("drafts are left: %v, %v", left, err)
	}
	if s, err := m.client.Status(); err != nil || s.Generation != 1 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestAProcessWithoutAFileSavesNothing(t *testing.T) {
	o := newOrigin(t, "hello")
	m := newManned(t, o.address)
	m.p.program.File = ""
	m.apply(o.address, "has no config file", admin.Application{Save: true})
	if got := m.apply(o.address, "", admin.Application{}); !strings.Contains(got.Note, "ends with the process") {
		t.Errorf("%+v", got)
	}
	m.p.program.File = filepath.Join(m.folder, "gone", "sluice.yaml")
	m.apply(o.address, "can't be read", admin.Application{Save: true})
}

func TestDiffSaysWhatWouldBeTouched(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address)
	busy := dialClient(t, fmt.Sprintf("127.0.0.1:%d", m.port))
	busy.ask("/")
	busy.want(200, "first")
	d, err := m.client.Diff("", nil)
	if err != nil || len(d.Changes) != 0 || d.Connections != 1 {
		t.Errorf("%+v %v", d, err)
	}
	text := strings.NewReplacer("PORT", fmt.Sprint(m.port+1), "DIR", m.folder).Replace(stageConfig(second.address))
	d, err = m.client.Diff("new.yaml", []byte(text))
	if err != nil || len(d.Opens) != 1 || len(d.Closes) != 1 || d.Closes[0].Connections != 1 || len(d.Retires) != 1 || d.Retires[0].Idle != 1 {
		t.Errorf("%+v %v", d, err)
	}
	var all []string
	for _, c := range d.Changes {
		all = append(all, c.Text)
	}
	want := fmt.Sprintf("- sites › http://:%d: { to: [\"%s\"] }\n+ sites › http://:%d: { to: \"%s\" }", m.port, first.address, m.port+1, second.address)
	if got := strings.Join(all[:2], "\n"); strings.ReplaceAll(got, `"`, "") != strings.ReplaceAll(want, `"`, "") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if d, err := m.client.Diff("new.yaml", []byte("sites: 1")); err != nil || !strings.Contains(d.Outcome.Messages, "new.yaml:1:8: error[wrong-type]") {
		t.Errorf("%+v %v", d, err)
	}
	m.ask(200, "first")
}

func TestADrainedServerGetsNoExchanges(t *testing.T) {
	first, second := newOrigin(t, "first"), newOrigin(t, "second")
	m := newManned(t, first.address, second.address)
	answers := func() string {
		var all strings.Builder
		for range 6 {
			c := dialClient(t, fmt.Sprintf("127.0.0.1:%d", m.port))
			c.ask("/")
			r, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			content, _ := io.ReadAll(r.Body)
			all.Write(content[:1])
			c.Close()
		}
		return all.String()
	}
	pool := m.p.engine.Snapshot().Pools[0].Name
	out, back, five := true, false, 5
	rotate := func(r admin.Rotation, state string, weight int) {
		t.Helper()
		all, err := m.client.Rotate(pool, "http://"+first.address, r)
		if err != nil || len(all) != 1 || all[0].State != state || all[0].Weight != weight || all[0].WeightByConfig != 1 {
			t.Fatalf("%+v %v", all, err)
		}
	}
	rotate(admin.Rotation{Draining: &out}, "draining", 1)
	if got := answers(); got != "ssssss" {
		t.Error(got)
	}
	if err := m.p.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := answers(); got != "ssssss" {
		t.Error("after a reload:", got)
	}
	if _, err := m.client.Rotate(pool, "http://"+second.address, admin.Rotation{Draining: &out}); err != nil {
		t.Fatal(err)
	}
	m.ask(503, "503 Service Unavailable\n")
	rotate(admin.Rotation{Draining: &back, Weight: &five}, "up", 5)
	if _, err := m.client.Rotate(pool, "http://"+second.address, admin.Rotation{Draining: &back}); err != nil {
		t.Fatal(err)
	}
	if got := answers(); strings.Count(got, "f") < 4 {
		t.Error("with five times the weight:", got)
	}
	for _, names := range [][2]string{{"none", "http://" + first.address}, {pool, "http://none:1"}} {
		if _, err := m.client.Rotate(names[0], names[1], admin.Rotation{Draining: &out}); err == nil || !strings.Contains(err.Error(), "no") {
			t.Errorf("%v: %v", names, err)
		}
	}
}

func TestChangesAreToldAsEvents(t *testing.T) {
	o := newOrigin(t, "hello")
	m := newManned(t, o.address)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all strings.Builder
	began := false
	err := m.client.Events(ctx, url.Values{"kind": {"config,endpoint,status"}}, func(kind string, data []byte) error {
		if kind == admin.KindStatus && !began { // the reader listens
			began = true
			m.apply(o.address, "", admin.Application{})
			rolled, err := m.client.Rollback()
			m.wantOutcome(rolled, err, "")
			out := true
			_, err = m.client.Rotate("http://"+o.address, "http://"+o.address, admin.Rotation{Draining: &out})
			return err
		}
		if kind == admin.KindStatus {
			return nil
		}
		fmt.Fprintf(&all, "%s %s\n", kind, data)
		if kind == admin.KindEndpoint {
			return os.ErrExist // enough
		}
		return nil
	})
	if err != os.ErrExist {
		t.Fatal(err, all.String())
	}
	for _, want := range []string{`"what":"applied"`, `"what":"rolled back"`, `endpoint {"pool":"http://` + o.address} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %s in\n%s", want, all.String())
		}
	}
}

func TestConnectionsAreToldOf(t *testing.T) {
	o := newOrigin(t, "hello")
	m := newManned(t, o.address)
	quiet := dialClient(t, fmt.Sprintf("127.0.0.1:%d", m.port))
	quiet.ask("/")
	quiet.want(200, "hello")
	busy := dialClient(t, fmt.Sprintf("127.0.0.1:%d", m.port))
	fmt.Fprintf(busy, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n12")
	states := map[string]string{}
	eventually(t, "an idle connection and an active one", func() bool {
		all, total := m.p.engine.connections(10)
		for _, c := range all {
			states[c.Client] = c.State
			if c.Exchanges != 1 || c.Listener != fmt.Sprintf(":%d", m.port) {
				return false
			}
		}
		return total == 2 && states[quiet.LocalAddr().String()] == "idle" && states[busy.LocalAddr().String()] == "active"
	})
	if some, total := m.p.engine.connections(1); len(some) != 1 || total != 2 {
		t.Error(some, total)
	}
}

func TestTheAccessLogCanBeFollowed(t *testing.T) {
	o := newOrigin(t, "hello")
	m := newManned(t, o.address)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	asked := false
	err := m.client.Events(ctx, url.Values{"kind": {"access,status"}, "status": {"2xx"}, "path": {"/"}}, func(kind string, data []byte) error {
		switch {
		case kind == admin.KindAccess && strings.Contains(string(data), `"status":200`):
			return os.ErrExist // enough
		case kind == admin.KindStatus && !asked: // the reader listens
			asked = true
			m.ask(200, "hello")
		}
		return nil
	})
	if err != os.ErrExist {
		t.Error(err)
	}
}

// While exchanges finish, nobody who asks for a change is kept waiting.
func TestAProcessThatEndsRefusesChangesAtOnce(t *testing.T) {
	o := newOrigin(t, "hello")
	m := newManned(t, o.address)
	busy := dialClient(t, fmt.Sprintf("127.0.0.1:%d", m.port))
	fmt.Fprintf(busy, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n12")
	eventually(t, "the exchange runs", func() bool { return m.p.engine.h1.Exchanges() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		m.p.Stop(ctx)
	}()
	eventually(t, "the process ends", m.p.engine.Draining)
	got, err := m.client.Reload()
	m.wantOutcome(got, err, "about to end")
	m.apply(o.address, "about to end", admin.Application{})
	cancel()
	<-stopped
}
