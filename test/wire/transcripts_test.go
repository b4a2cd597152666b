package wire

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/test/proxytest"
)

var (
	update = flag.Bool("update", false, "rewrite what transcripts expect by what happens on the first driver; review the diff")
	known  = flag.Bool("open", false, "run the transcripts in open/, which show faults that are known")
)

func TestTranscriptsHoldOnEveryDriver(t *testing.T) {
	folder := "*.txtar"
	if *known {
		folder = "open/*.txtar"
	}
	files, err := filepath.Glob(folder)
	if err != nil || len(files) == 0 && !*known {
		t.Fatalf("there are no transcripts (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			for i, driver := range drivers(t, file) {
				t.Run(driver.Name, func(t *testing.T) {
					s, err := readScript(file)
					if err != nil {
						t.Fatal(err)
					}
					r := &run{t: t, script: s, update: *update && i == 0}
					r.play(driver)
				})
			}
		})
	}
}

// drivers are those that a transcript is for; without the slow ones in short mode.
func drivers(t *testing.T, file string) (chosen []proxytest.Driver) {
	s, err := readScript(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range proxytest.Drivers() {
		fits := s.only == "" || s.only == "loops" && !d.Goroutines || s.only == "single" && d.Loops == 1 || s.only == "whole" && !d.Slow
		if fits && !(d.Slow && testing.Short()) {
			chosen = append(chosen, d)
		}
	}
	return chosen
}

// firstLine is a sentence that begins with the rule's source.
var firstLine = regexp.MustCompile(`^# (RFC \d+, section [0-9.]+|Sluice): .+[.]\n`)

func TestEachTranscriptNamesItsRule(t *testing.T) {
	files, _ := filepath.Glob("*.txtar")
	more, _ := filepath.Glob("open/*.txtar")
	for _, file := range append(files, more...) {
		s, err := readScript(file)
		if err != nil {
			t.Error(err)
		} else if !firstLine.MatchString(s.comment) {
			t.Errorf(`%s: the first line is not of the form "# RFC 9112, section 6.1: A sentence." (or "# Sluice: …" where no RFC says it)`, file)
		}
		if name := filepath.Base(file); !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+\.txtar$`).MatchString(name) {
			t.Errorf("%s is not named AREA-what.txtar", name)
		}
	}
}

// A run is a script being played on one driver.
type run struct {
	t       *testing.T
	script  *script
	update  bool
	proxy   *proxytest.Proxy
	origins map[string]*proxytest.Origin
	clients map[string]*proxytest.Peer
	used    map[string]int // how many connections of each origin the script has spoken of
	// unfinished are the origins that may have got something, but no whole message, on connections that the script does not speak of.
	unfinished map[string]bool
}

func (r *run) play(driver proxytest.Driver) {
	r.origins, r.clients, r.used, r.unfinished = map[string]*proxytest.Origin{}, map[string]*proxytest.Peer{}, map[string]int{}, map[string]bool{}
	var origins []*proxytest.Origin
	for _, name := range r.script.origins() {
		o := proxytest.Listen(r.t, name, strings.Contains(r.script.config.text, "unix:/run/"+name+".sock"))
		origins = append(origins, o)
		r.origins[name] = o
	}
	r.proxy = proxytest.Run(r.t, r.script.config.text, driver, origins...)
	for _, st := range r.script.steps {
		if !r.step(st) {
			return // what follows would fail, too
		}
	}
	r.nothingLeft()
	if r.update && !r.t.Failed() {
		if err := r.script.write(); err != nil {
			r.t.Error(err)
		}
	}
}

// step plays one step and reports whether the script can go on.
func (r *run) step(st *step) bool {
	switch {
	case st.verb == "only" || r.expectsNothing(st):
		return true
	case st.verb == "unfinished":
		r.unfinished[st.actor] = true
		return true
	}
	if st.verb == "connects" {
		return r.connect(st) != nil
	}
	p := r.peer(st)
	if p == nil {
		return false
	}
	var err error
	switch st.verb {
	case ">":
		err = r.act(p, st)
	case "<":
		return r.expect(p, st)
	case "closed":
		err = p.Closed()
	case "broken":
		err = p.Broken()
	case "gone":
		_, _, err = p.Rest()
	}
	if err != nil {
		r.errorf(st, "%v", err)
	}
	return err == nil
}

func (r *run) errorf(st *step, format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("%s:%d: %s: %s", r.script.file, st.line, st.marker, fmt.Sprintf(format, args...))
}

// expectsNothing reports whether st says that an origin gets nothing: that is looked at in the end, for every origin.
func (r *run) expectsNothing(st *step) bool {
	return strings.HasPrefix(st.actor, "origin") && st.verb == "<" && st.mode == "" && st.text == ""
}

// peer is the connection that st is about. A client's is opened by its first step, an origin's is waited for.
func (r *run) peer(st *step) *proxytest.Peer {
	o := r.origins[st.actor]
	if o == nil {
		if p := r.clients[st.actor]; p != nil {
			return p
		}
		return r.connect(st)
	}
	r.used[st.actor] = max(r.used[st.actor], st.number)
	p := o.Peer(st.number)
	if p == nil {
		r.errorf(st, "the proxy has not connected")
	}
	return p
}

// connect opens a client's connection.
func (r *run) connect(st *step) *proxytest.Peer {
	from, to := "", ""
	if st.verb == "connects" {
		words := strings.Fields(st.mode)
		for i := 0; i+1 < len(words); i += 2 {
			if words[i] == "from" {
				from = words[i+1]
			} else {
				to = words[i+1]
			}
		}
	}
	p := r.proxy.Connect(to, from)
	r.clients[st.actor] = p
	return p
}

func (r *run) act(p *proxytest.Peer, st *step) error {
	switch st.mode {
	case "end":
		p.End()
	case "reset":
		p.Reset()
	case "close":
		p.Hangup()
	default:
		b, err := parseText(st.text)
		if err != nil {
			return err
		}
		p.Send(b)
	}
	return nil
}

// expect reads what st says and compares.
func (r *run) expect(p *proxytest.Peer, st *step) bool {
	want, err := parseText(st.text)
	if err != nil {
		r.errorf(st, "%v", err)
		return false
	}
	got, err := read(p, st.mode, len(want))
	got = maskDate(got)
	if !strings.Contains(st.text, "X-Real-IP") {
		got = maskHop(got)
	}
	switch {
	case err == nil && bytes.Equal(got, want):
		return true
	case err == nil && r.update:
		st.text = formatText(got)
		return true
	}
	message := diff(formatText(want), formatText(got))
	if err != nil {
		message += "    " + err.Error() + "\n"
	}
	r.errorf(st, "\n%s", message)
	return false
}

func read(p *proxytest.Peer, mode string, n int) ([]byte, error) {
	switch mode {
	case "head":
		return p.Head()
	case "body":
		return p.Body()
	case "part":
		return p.Content(n)
	case "bytes":
		return p.Bytes(n)
	}
	return p.Message()
}

// nothingLeft ends all connections and checks that nobody has got more than the script says.
func (r *run) nothingLeft() {
	for _, p := range r.clients {
		p.End()
	}
	for name, o := range r.origins {
		o.Close()
		for i, p := range o.Accepted() {
			p.End()
			if r.unfinished[name] && i >= r.used[name] {
				if whole, err := p.Message(); err == nil {
					r.t.Errorf("%s: %s#%d has received a whole message:\n%s", r.script.file, name, i+1, formatText(whole))
				}
				p.Close()
			}
		}
	}
	for name, p := range r.clients {
		r.noRest(name, p)
	}
	r.proxy.WaitIdle()
	r.proxy.Retire()
	for name, o := range r.origins {
		for i, p := range o.Accepted() {
			if i < r.used[name] || !r.unfinished[name] {
				r.noRest(fmt.Sprintf("%s#%d", name, i+1), p)
			}
			if i >= r.used[name] && !r.unfinished[name] {
				r.t.Errorf("%s: the proxy has made connection %d to %s", r.script.file, i+1, name)
			}
		}
	}
}

// noRest waits for the end of a connection and checks that nothing comes before it.
func (r *run) noRest(name string, p *proxytest.Peer) {
	rest, _, err := p.Rest()
	if err == nil && len(rest) > 0 {
		r.t.Errorf("%s: %s has also received:\n%s", r.script.file, name, formatText(maskHop(rest)))
	}
	p.Close()
}
