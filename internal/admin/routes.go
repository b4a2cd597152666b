package admin

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// routes are the resources of a listener by their exact path.
type routes map[string]resource

// A resource is read with GET or HEAD, or does something with POST.
type resource struct{ get, post http.HandlerFunc }

// methods is what the resource can be asked with.
func (r resource) methods() string {
	if r.get == nil {
		return "POST"
	}
	return "GET, HEAD"
}

// handler returns what answers a method, nil if nothing does.
func (r resource) handler(method string) http.HandlerFunc {
	switch method {
	case http.MethodGet, http.MethodHead:
		return r.get
	case http.MethodPost:
		return r.post
	}
	return nil
}

// routes are the resources at an address. On TCP anybody on this machine can ask: there things can be looked at and not changed.
func (srv *Server) routes(at address) routes {
	r := routes{
		"/v1/status":  {get: srv.status},
		"/v1/metrics": {get: srv.metricsText},
		"/metrics":    {get: srv.metricsText},
	}
	if at.network == "unix" {
		r["/v1/reload"] = resource{post: srv.reload}
	}
	return r
}

// ServeHTTP implements http.Handler. Not http.ServeMux: its 404 and 405 are plain text, and it redirects paths that are not in normal form.
func (r routes) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	resource, ok := r[q.URL.Path]
	h := resource.handler(q.Method)
	switch {
	case !ok:
		writeError(w, http.StatusNotFound, "there is nothing at this path")
	case h == nil:
		w.Header().Set("Allow", resource.methods())
		writeError(w, http.StatusMethodNotAllowed, "this can only be asked with "+resource.methods())
	default:
		h(w, q)
	}
}

// reload answers when the new config is in force, or with why it is not.
func (srv *Server) reload(w http.ResponseWriter, _ *http.Request) {
	outcome := srv.sources.Reload()
	status := http.StatusOK
	if outcome.Error != "" {
		status = http.StatusUnprocessableEntity
	}
	writeJSON(w, status, outcome)
}

func (srv *Server) status(w http.ResponseWriter, _ *http.Request) {
	s := srv.sources.Status()
	// A list without members is [] and not null: scripts loop over it.
	s.Listeners, s.Loops, s.Pools = list(s.Listeners), list(s.Loops), list(s.Pools)
	for i := range s.Pools {
		s.Pools[i].Endpoints = list(s.Pools[i].Endpoints)
	}
	writeJSON(w, http.StatusOK, s)
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func (srv *Server) metricsText(w http.ResponseWriter, _ *http.Request) {
	// Written to memory first: an error can still become an answer, and a slow reader holds nothing but bytes.
	var text bytes.Buffer
	if err := srv.sources.Metrics(&text); err != nil {
		srv.sources.Log.Error("metrics could not be written", "error", err)
		writeError(w, http.StatusInternalServerError, "metrics could not be written")
		return
	}
	write(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", text.Bytes())
}

// apiError is the body of all answers that are errors.
type apiError struct {
	Error struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	} `json:"error"`
}

func writeError(w http.ResponseWriter, status int, message string) {
	var e apiError
	e.Error.Status, e.Error.Message = status, message
	writeJSON(w, status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // a NaN in a status, for one
		http.Error(w, "the answer has no form in JSON", http.StatusInternalServerError)
		return
	}
	write(w, status, "application/json", append(text, '\n'))
}

func write(w http.ResponseWriter, status int, mediaType string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(content) // an error here is the client's
}

// onlyOwnHost refuses requests that were meant for another host: a browser that was led here by a name of somebody else's, or by a page of another origin.
type onlyOwnHost struct {
	next http.Handler
	at   address
}

// ServeHTTP implements http.Handler.
func (h onlyOwnHost) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	switch {
	case !h.owns(q.Host):
		writeError(w, http.StatusMisdirectedRequest, "the Host field does not name this listener")
	case q.Header.Get("Origin") != "":
		writeError(w, http.StatusForbidden, "requests from pages of other origins are refused")
	default:
		h.next.ServeHTTP(w, q)
	}
}

// owns reports whether host, with or without a port, is one of the listener's own. On loopback these are loopback addresses and localhost. A listener that is
// open to other machines has names that it can't know: what it shows is no secret to whoever can reach it.
func (h onlyOwnHost) owns(host string) bool {
	return isLoopback(host) || h.at.any && !isLoopback(h.at.where)
}

// isLoopback reports whether host, with or without a port, is localhost or a loopback address.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
