package admin

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// withToken lets in who has the token: "Authorization: Bearer TOKEN" (RFC 6750, section 2.1).
type withToken struct {
	next  http.Handler
	token string
}

// ServeHTTP implements http.Handler.
func (h withToken) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	scheme, token, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(token), []byte(h.token)) != 1 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
		w.Header().Set("Connection", "close") // strangers shall not keep the few connections
		writeError(w, http.StatusUnauthorized, "this needs the token of the admin server: Authorization: Bearer TOKEN")
		return
	}
	h.next.ServeHTTP(w, q)
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
// open to other machines has names that it can't know.
func (h onlyOwnHost) owns(host string) bool {
	return isLoopback(host) || !isLoopback(h.at.where)
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
