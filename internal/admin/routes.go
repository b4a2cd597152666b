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

// routes are the resources of a listener by their exact path. All of them are read with GET or HEAD.
type routes map[string]http.HandlerFunc

func (srv *Server) routes() routes {
	return routes{
		"/v1/status":  srv.status,
		"/v1/metrics": srv.metricsText,
		"/metrics":    srv.metricsText,
	}
}

// ServeHTTP implements http.Handler. Not http.ServeMux: its 404 and 405 are plain text, and it redirects paths that are not in normal form.
func (r routes) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h, ok := r[q.URL.Path]
	switch {
	case !ok:
		writeError(w, http.StatusNotFound, "there is nothing at this path")
	case q.Method != http.MethodGet && q.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, "this can only be read: use GET")
	default:
		h(w, q)
	}
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
