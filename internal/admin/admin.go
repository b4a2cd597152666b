// Package admin is the door for operators: an HTTP server on a Unix socket that only the user of the process can open, or on loopback.
//
// It answers GET /v1/status (JSON), /v1/metrics and /metrics (Prometheus text), and on the Unix socket POST /v1/reload. A second listener may answer /metrics alone, for a Prometheus on another
// machine. It is a service beside the way of a request: what it shows is read through functions that app gives it, and it knows no other package's types.
//
// Here net/http is right: few requests, no data path. On TCP a request must name the listener's own host, or else any page in a browser on this machine
// could read the answers under a name that it points at 127.0.0.1 (DNS rebinding). Whoever can connect may read, and over the socket reload.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits of the admin server.
const (
	headTimeout    = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 60 * time.Second
	closeTimeout   = 2 * time.Second // for requests that run when a listener is closed
	headBytesMax   = 16 << 10
	connectionsMax = 64 // for each listener; further ones wait
)

// Off as an address means no listener.
const Off = "off"

// Settings say where the server listens.
type Settings struct {
	// Listen is a path, "unix:" and a path, or a TCP address on loopback ("127.0.0.1:2019", "localhost:2019"). Empty means DefaultSocket, Off nothing.
	Listen string
	// Metrics is a TCP address, on any interface, that answers GET /metrics and nothing else. Empty or Off means none.
	Metrics string
}

// Sources is what the server shows. All are called by many goroutines, must not block for long, and return copies.
type Sources struct {
	Status  func() Status
	Metrics func(io.Writer) error // writes the text format of Prometheus 0.0.4
	Reload  func() Reload         // may take long, and may call Apply
	Log     *slog.Logger
}

// A Server is the admin server: a service that app starts, tells of new settings and closes.
type Server struct {
	sources Sources

	mu      sync.Mutex // keeps Apply and Close apart
	admin   *listener  // nil if off; guarded by mu
	metrics *listener  // nil if off; guarded by mu
	retired sync.WaitGroup
}

// New starts the server. An address that can't be listened on is an error, and so is a socket that another process answers.
func New(s Settings, sources Sources) (*Server, error) {
	srv := &Server{sources: sources}
	if err := srv.Apply(s); err != nil {
		return nil, err
	}
	return srv, nil
}

// Apply goes over to other settings. New listeners are opened first: at an error nothing changes. A listener whose address stays is not touched.
func (srv *Server) Apply(s Settings) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	admin, err := srv.next(srv.admin, adminAddress(s.Listen))
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	metrics, err := srv.next(srv.metrics, metricsAddress(s.Metrics))
	if err != nil {
		if admin != srv.admin {
			admin.close()
		}
		return fmt.Errorf("admin: metrics: %w", err)
	}
	oldAdmin, oldMetrics := srv.admin, srv.metrics
	srv.admin, srv.metrics = admin, metrics
	if oldAdmin != admin {
		srv.retire(oldAdmin)
	}
	if oldMetrics != metrics {
		srv.retire(oldMetrics)
	}
	return nil
}

// retire closes a listener behind the caller's back, who may be a request of that listener.
func (srv *Server) retire(l *listener) {
	srv.retired.Go(func() {
		if err := l.close(); err != nil {
			srv.sources.Log.Warn("an old admin listener was not closed cleanly", "error", err)
		}
	})
}

// next returns the listener for an address: the old one if it has that address.
func (srv *Server) next(old *listener, at address) (*listener, error) {
	if at == (address{}) {
		return nil, nil
	}
	if old != nil && old.at == at {
		return old, nil
	}
	return srv.listen(at)
}

// Address returns where the admin API is served: the socket's path or the TCP address, empty if it is off.
func (srv *Server) Address() string { return srv.addressOf(func() *listener { return srv.admin }) }

// MetricsAddress returns the TCP address of the listener for metrics alone, empty if there is none.
func (srv *Server) MetricsAddress() string {
	return srv.addressOf(func() *listener { return srv.metrics })
}

func (srv *Server) addressOf(which func() *listener) string {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	l := which()
	if l == nil {
		return ""
	}
	return l.socket.Addr().String()
}

// Close stops listening, lets running requests finish within closeTimeout, and removes the socket.
func (srv *Server) Close() error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	err := errors.Join(srv.admin.close(), srv.metrics.close())
	srv.admin, srv.metrics = nil, nil
	srv.retired.Wait()
	return err
}

// An address is a listener's, taken apart. The zero address is none.
type address struct {
	network string // "unix" or "tcp"
	where   string // path or host:port
	any     bool   // other addresses than loopback are allowed
	private bool   // the socket's folder is ours to make: the default path
}

func adminAddress(listen string) address {
	switch path, isUnix := strings.CutPrefix(listen, "unix:"); {
	case listen == Off:
		return address{}
	case listen == "":
		return address{network: "unix", where: DefaultSocket(), private: true}
	case isUnix || strings.HasPrefix(path, "/") || strings.HasPrefix(path, "./"):
		return address{network: "unix", where: path}
	}
	return address{network: "tcp", where: listen}
}

func metricsAddress(listen string) address {
	if listen == "" || listen == Off {
		return address{}
	}
	return address{network: "tcp", where: listen, any: true}
}

// A listener is one socket with its HTTP server.
type listener struct {
	at     address
	socket net.Listener
	server *http.Server
	done   chan struct{} // closed when Serve has returned
}

func (srv *Server) listen(at address) (*listener, error) {
	var socket net.Listener
	var err error
	if at.network == "unix" {
		socket, err = listenUnix(at.where, at.private)
	} else {
		socket, err = listenTCP(at.where, at.any)
	}
	if err != nil {
		return nil, err
	}
	var h http.Handler = srv.routes(at)
	if at.any {
		h = routes{"/metrics": {get: srv.metricsText}}
	}
	if at.network == "tcp" {
		h = onlyOwnHost{h, at}
	}
	l := &listener{at: at, socket: socket, done: make(chan struct{}), server: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headBytesMax,
		ErrorLog:          slog.NewLogLogger(srv.sources.Log.Handler(), slog.LevelWarn),
	}}
	go func() {
		defer close(l.done)
		if err := l.server.Serve(newLimited(socket, connectionsMax)); !errors.Is(err, http.ErrServerClosed) {
			srv.sources.Log.Error("the admin server ended", "address", at.where, "error", err)
		}
	}()
	return l, nil
}

// close ends l, which may be nil.
func (l *listener) close() error {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := l.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = l.server.Close()
	}
	// Shutdown can come before Serve has taken the socket over; then nobody else closes it.
	if e := l.socket.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	<-l.done
	return err
}
