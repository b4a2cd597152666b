package admin

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/observe/metric"
)

// A resource is one thing that can be asked of the API, with what its documentation says: openapi.json is made from it.
type resource struct {
	method, path string
	do           http.HandlerFunc
	summary      string
	query        []parameter
	body         any    // an example of the request's content; "" is a config
	answer       any    // an example of the response's content
	mediaType    string // of the response, if it isn't JSON
	statuses     []int  // of responses beside 200, whose content is an error or an Outcome
}

// A parameter is one of a resource's query.
type parameter struct{ name, about string }

// openAPI is the description of the API (OpenAPI 3.1), made by "make manual".
//
//go:embed openapi.json
var openAPI []byte

// resources is the API.
func (srv *Server) resources() []resource {
	return slices.Concat(srv.views(), srv.configs(), srv.endpoints())
}

// views are what can be looked at.
func (srv *Server) views() []resource {
	return []resource{
		{method: "GET", path: "/v1/status", do: srv.status, summary: "What the process does", answer: Status{}},
		{method: "GET", path: "/v1/connections", do: srv.connections, summary: "Connections of clients", answer: Connections{}, statuses: []int{http.StatusBadRequest},
			query: []parameter{{"limit", "how many to tell about, at most 100000; 1000 without it"}}},
		{method: "GET", path: "/v1/metrics", do: srv.metricsText, summary: "Metrics in the text format of Prometheus, or in OpenMetrics if Accept prefers it", mediaType: "text/plain"},
		{method: "GET", path: "/metrics", do: srv.metricsText, summary: "The same, where Prometheus looks by default", mediaType: "text/plain"},
		{method: "GET", path: "/v1/events", do: srv.events, summary: "What happens, as it happens (Server-Sent Events)", mediaType: eventsType, query: []parameter{
			{"kind", "kinds of events, separated by commas: config, endpoint, process, status, figures, access; without it the first three"},
			{"every", "how often status and figures come, such as 2s; 1s without it"},
			{"site", "access: only this site"},
			{"status", "access: only these, separated by commas: 404, 5xx"},
			{"path", "access: only this path, or with a trailing * what begins so"},
			{"client", "access: only this address or network"},
		}},
		{method: "GET", path: "/v1/openapi.json", do: func(w http.ResponseWriter, _ *http.Request) {
			write(w, http.StatusOK, "application/json", openAPI)
		}, summary: "This description"},
	}
}

// api returns what answers requests to the API.
func (srv *Server) api(pprofToo bool) http.Handler {
	mux := http.NewServeMux()
	for _, r := range srv.resources() {
		mux.HandleFunc(r.method+" "+r.path, r.do)
	}
	if pprofToo {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", unhurried(pprof.Profile))
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", unhurried(pprof.Trace))
	}
	return inJSON{mux}
}

// inJSON answers what the mux knows no handler for. What it says itself is plain text, or a redirect to a path in normal form.
type inJSON struct{ mux *http.ServeMux }

// ServeHTTP implements http.Handler.
func (h inJSON) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := q.URL.EscapedPath() // a server's address in it may hold slashes
	normal := !strings.Contains(path, "//") && !strings.Contains(path, "/.")
	if _, pattern := h.mux.Handler(q); pattern != "" && normal {
		h.mux.ServeHTTP(w, q)
		return
	}
	if allowed := h.allowed(q); len(allowed) > 0 && normal {
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		writeError(w, http.StatusMethodNotAllowed, "this can only be asked with "+list)
		return
	}
	writeError(w, http.StatusNotFound, "there is nothing at this path; GET /v1/openapi.json describes what there is")
}

// allowed are the methods that the path of q can be asked with.
func (h inJSON) allowed(q *http.Request) (methods []string) {
	other := *q
	for _, other.Method = range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		if _, pattern := h.mux.Handler(&other); pattern != "" && other.Method != q.Method {
			methods = append(methods, other.Method)
		}
	}
	return methods
}

func (srv *Server) status(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, listed(srv.sources.Status()))
}

// Connections that are told about.
const (
	connectionsShown    = 1000
	connectionsShownMax = 100_000
)

func (srv *Server) connections(w http.ResponseWriter, q *http.Request) {
	most := connectionsShown
	if text := q.URL.Query().Get("limit"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < 0 || most > connectionsShownMax {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("limit is a number up to %d, not %q", connectionsShownMax, text))
			return
		}
	}
	all, total := srv.sources.Connections(most)
	writeJSON(w, http.StatusOK, Connections{Total: total, Connections: list(all)})
}

// listed is s with lists without members as [] and not null: scripts loop over them.
func listed(s Status) Status {
	s.Listeners, s.Loops, s.Pools = list(s.Listeners), list(s.Loops), list(s.Pools)
	for i := range s.Pools {
		s.Pools[i].Endpoints = list(s.Pools[i].Endpoints)
	}
	return s
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func (srv *Server) metricsText(w http.ResponseWriter, q *http.Request) {
	format := metric.Negotiate(strings.Join(q.Header.Values("Accept"), ","))
	// Written to memory first: an error can still become an answer, and a slow reader holds nothing but bytes.
	var text bytes.Buffer
	if err := srv.sources.Metrics(&text, format); err != nil {
		srv.sources.Log.Error("metrics could not be written", "error", err)
		writeError(w, http.StatusInternalServerError, "metrics could not be written")
		return
	}
	w.Header().Set("Vary", "Accept")
	write(w, http.StatusOK, format.ContentType(), text.Bytes())
}

// harmless answers who has no token: with what can be looked at by anybody on the machine.
func (srv *Server) harmless() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", srv.metricsText)
	mux.HandleFunc("GET /v1/metrics", srv.metricsText)
	mux.HandleFunc("GET /v1/status", srv.status)
	return inJSON{mux}
}

// metricsAlone answers GET /metrics and nothing else.
func (srv *Server) metricsAlone() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", srv.metricsText)
	return inJSON{mux}
}

// unhurried returns h without the deadline of answers: a profile takes as long as it is asked to.
func unhurried(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		h(w, q)
	}
}
