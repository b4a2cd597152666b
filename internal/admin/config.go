package admin

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// configMax is the largest config that is taken, in bytes: as large as a file may be.
const configMax = 16 << 20

// Bounds of how long a trial may be.
const (
	TrialMin = time.Second
	TrialMax = 24 * time.Hour
)

// configs are the resources about the config.
func (srv *Server) configs() []resource {
	name := parameter{"name", "what messages call the config; a file's name"}
	refused := []int{http.StatusBadRequest, http.StatusUnprocessableEntity}
	changed := append(refused, http.StatusConflict)
	return []resource{
		{method: "GET", path: "/v1/config", do: srv.config, summary: "The config in force, without its secrets, with its version in ETag", answer: map[string]any{},
			query: []parameter{{"merged", "true: with what sites and routes inherit"}, {"format", "json or yaml; without it what Accept prefers, else json"}}},
		{method: "PUT", path: "/v1/config", do: srv.apply, summary: "Puts a config in force. If-Match makes sure that it is the one in force that was meant to be changed",
			body: "", answer: Outcome{}, statuses: append(changed, http.StatusPreconditionFailed), query: []parameter{name,
				{"for", "a time such as 60s: the config before comes back by itself after it, unless somebody confirms"},
				{"save", "false: the config file is not written, and a reload or a restart brings the config of the file back"}}},
		{method: "POST", path: "/v1/config/check", do: srv.check, summary: "Says what is wrong with a config; nothing changes", body: "", answer: Outcome{}, statuses: refused, query: []parameter{name}},
		{method: "POST", path: "/v1/config/diff", do: srv.diff, summary: "Says what a config would change; nothing changes. Without content it is about the config file", body: "",
			answer: Difference{}, statuses: refused, query: []parameter{name}},
		{method: "POST", path: "/v1/config/confirm", do: srv.act(func() Outcome { return srv.sources.Confirm() }), summary: "Ends a trial: its config stays", answer: Outcome{}, statuses: []int{http.StatusConflict}},
		{method: "POST", path: "/v1/config/rollback", do: srv.act(func() Outcome { return srv.sources.Rollback() }), summary: "Brings the config before the last change back", answer: Outcome{},
			statuses: []int{http.StatusConflict}},
		{method: "POST", path: "/v1/upgrade", do: srv.act(func() Outcome { return srv.sources.Upgrade() }), summary: "Starts the program anew, which takes over all sockets; this process ends when its exchanges are over", answer: Outcome{},
			statuses: []int{http.StatusConflict}},
		{method: "POST", path: "/v1/reload", do: srv.act(func() Outcome { return srv.sources.Reload() }), summary: "Reads the config file again", answer: Outcome{}, statuses: []int{http.StatusUnprocessableEntity}},
	}
}

// act returns the handler of something that needs no content.
func (srv *Server) act(do func() Outcome) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeOutcome(w, do()) }
}

func writeOutcome(w http.ResponseWriter, o Outcome) {
	o.Diagnostics = list(o.Diagnostics)
	if o.ETag != "" {
		w.Header().Set("ETag", quote(o.ETag))
	}
	writeJSON(w, o.status(), o)
}

func (o *Outcome) status() int { return cmp.Or(o.Status, http.StatusOK) }

// quote makes an entity tag (RFC 9110, section 8.8.3).
func quote(tag string) string { return `"` + tag + `"` }

func (srv *Server) config(w http.ResponseWriter, q *http.Request) {
	merged, err := boolean(q, "merged", false)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	in := srv.sources.Config()
	w.Header().Set("ETag", quote(in.ETag))
	w.Header().Add("Vary", "Accept")
	switch format := q.URL.Query().Get("format"); {
	case format == "yaml" || format == "" && strings.Contains(q.Header.Get("Accept"), "yaml"):
		write(w, http.StatusOK, "application/yaml", in.YAML(merged))
	case format == "json" || format == "":
		write(w, http.StatusOK, "application/json", in.JSON(merged))
	default:
		writeError(w, http.StatusBadRequest, "format is json or yaml")
	}
}

func boolean(q *http.Request, name string, byDefault bool) (bool, error) {
	text := q.URL.Query().Get(name)
	if text == "" {
		return byDefault, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s is true or false, not %q", name, text)
	}
	return b, nil
}

// errTooLarge says that a config has more bytes than one may have.
var errTooLarge = fmt.Errorf("a config has at most %d bytes", configMax)

// sent reads the config that came with a request.
func sent(w http.ResponseWriter, q *http.Request) (name string, text []byte, err error) {
	text, err = io.ReadAll(http.MaxBytesReader(w, q.Body, configMax))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		err = errTooLarge
	}
	name = q.URL.Query().Get("name")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if name == "" {
		name = "config"
	}
	return name, text, err
}

func writeSentError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if errors.Is(err, errTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	writeError(w, status, err.Error())
}

func (srv *Server) check(w http.ResponseWriter, q *http.Request) {
	name, text, err := sent(w, q)
	if err != nil {
		writeSentError(w, err)
		return
	}
	writeOutcome(w, srv.sources.Check(name, text))
}

func (srv *Server) diff(w http.ResponseWriter, q *http.Request) {
	name, text, err := sent(w, q)
	if err != nil {
		writeSentError(w, err)
		return
	}
	d := srv.sources.Diff(name, text)
	d.Changes, d.Opens, d.Closes, d.Retires, d.Outcome.Diagnostics = list(d.Changes), list(d.Opens), list(d.Closes), list(d.Retires), list(d.Outcome.Diagnostics)
	writeJSON(w, d.Outcome.status(), d)
}

func (srv *Server) apply(w http.ResponseWriter, q *http.Request) {
	a, err := application(w, q)
	if err != nil {
		writeSentError(w, err)
		return
	}
	writeOutcome(w, srv.sources.Apply(a))
}

// application reads what is to be applied and how.
func application(w http.ResponseWriter, q *http.Request) (a Application, err error) {
	if a.Save, err = boolean(q, "save", true); err != nil {
		return a, err
	}
	if text := q.URL.Query().Get("for"); text != "" {
		if a.For, err = time.ParseDuration(text); err != nil || a.For < TrialMin || a.For > TrialMax {
			return a, fmt.Errorf("for is a time from %v to %v, such as 60s, not %q", TrialMin, TrialMax, text)
		}
	}
	if a.IfMatch, err = ifMatch(q.Header.Values("If-Match")); err != nil {
		return a, err
	}
	a.Name, a.Text, err = sent(w, q)
	return a, err
}

// ifMatch returns the tag that must be in force, "" for any (RFC 9110, section 13.1.1).
func ifMatch(lines []string) (string, error) {
	value := strings.TrimSpace(strings.Join(lines, ","))
	if value == "" || value == "*" {
		return "", nil
	}
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || strings.Contains(value[1:len(value)-1], `"`) {
		return "", errors.New("If-Match holds one strong entity tag, as ETag had it")
	}
	return value[1 : len(value)-1], nil
}
