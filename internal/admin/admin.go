// Package admin is the door for operators: an HTTP server on a Unix socket that only the user of the process can open, or on TCP for who has a token.
//
// It shows status, metrics and what happens, takes configs, and moves servers in and out of their pools; openapi.json describes it. A second listener may answer
// GET /metrics alone, for a Prometheus on another machine. It is a service beside the way of a request: what it shows and does goes through functions that
// app gives it, and of other packages' types it knows
// the formats of metrics only.
//
// Here net/http is right: few requests, no data path. On loopback a request must name the listener's own host, and none may come from a page of another origin, or
// else any page in a browser on this machine could ask under a name that it points at 127.0.0.1 (DNS rebinding).
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

	"sluice/internal/observe/metric"
)

// Limits of the admin server.
const (
	headTimeout    = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 45 * time.Second // an upgrade takes up to 30 s
	idleTimeout    = 60 * time.Second
	closeTimeout   = 2 * time.Second // for requests that run when a listener is closed
	headBytesMax   = 16 << 10
	connectionsMax = 64 // for each listener; further ones wait
)

// Off as an address means no listener.
const Off = "off"

// Settings say where the server listens.
type Settings struct {
	// Listen is a path, "unix:" and a path, or a TCP address ("127.0.0.1:2019"). Empty means DefaultSocket, Off nothing. TCP without a Token
	// shows status and metrics alone; on other addresses than loopback it needs a Token and a certificate.
	Listen string
	// Token is what requests over TCP must have: a secret.
	Token string
	// CertFile and KeyFile are a certificate with its chain and its key, in PEM; without them connections are not encrypted.
	CertFile, KeyFile string
	// Profiles says that /debug/pprof/ is served.
	Profiles bool
	// Metrics is a TCP address, on any interface, that answers GET /metrics and nothing else. Empty or Off means none.
	Metrics string
}

// Sources is what the server shows and does. All are called by many goroutines and return copies. Those that put a config in force may take long, and may call
// Server.Apply.
type Sources struct {
	Status func() Status
	// Connections tells about clients' connections, at most most of them, and how many there are.
	Connections func(most int) ([]Connection, int)
	Metrics     func(io.Writer, metric.Format) error
	Config      func() ConfigInForce
	Check       func(name string, text []byte) Outcome
	Diff        func(name string, text []byte) Difference // without text: the config file
	Apply       func(Application) Outcome
	Confirm     func() Outcome
	Rollback    func() Outcome
	Reload      func() Outcome
	Upgrade     func() Outcome
	Rotate      func(pool, endpoint string, r Rotation) ([]Endpoint, error) // the error is about the names
	Figures     func() (next func() Figures)                                // next tells what came since it was called last; it is for one goroutine
	Follow      func(queue int) (Follower, error)
	Log         *slog.Logger

	// Inherited returns the socket of that address ("unix:" and a path, or host:port) if it was handed over at the start, else nil. It may be nil itself.
	Inherited func(address string) (net.Listener, error)
}

// A Server is the admin server: a service that app starts, tells of new settings and closes.
type Server struct {
	sources Sources
	hub     hub

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
	admin, err := srv.next(srv.admin, adminAddress(s))
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
func (srv *Server) Address() string { return srv.addressIn(func() *listener { return srv.admin }) }

// MetricsAddress returns the TCP address of the listener for metrics alone, empty if there is none.
func (srv *Server) MetricsAddress() string {
	return srv.addressIn(func() *listener { return srv.metrics })
}

func (srv *Server) addressIn(which func() *listener) string {
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

// An address is a listener's, taken apart, with how it is served. The zero address is none.
type address struct {
	network  string // "unix" or "tcp"
	where    string // path or host:port
	private  bool   // the socket's folder is ours to make: the default path
	metrics  bool   // for metrics alone
	token    string
	cert     string // file names; "" is no TLS
	key      string
	profiles bool
}

// addressOf reads where the admin server is: a path, "unix:" and a path, or host:port.
func addressOf(listen string) address {
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

func adminAddress(s Settings) address {
	at := addressOf(s.Listen)
	if at == (address{}) {
		return at
	}
	at.profiles = s.Profiles
	if at.network == "tcp" {
		at.token, at.cert, at.key = s.Token, s.CertFile, s.KeyFile
	}
	return at
}

func metricsAddress(listen string) address {
	if listen == "" || listen == Off {
		return address{}
	}
	return address{network: "tcp", where: listen, metrics: true}
}

// check says what an admin server over TCP lacks.
func (at address) check() error {
	switch {
	case at.network != "tcp" || at.metrics:
	case at.token == "" && !isLoopback(at.where):
		return fmt.Errorf("%s is not on loopback: a token and a certificate are needed; use a Unix socket, 127.0.0.1, or token and tls", at.where)
	case at.cert == "" && !isLoopback(at.where):
		return fmt.Errorf("%s is not on loopback: a certificate is needed, or else the token could be read on its way; use a Unix socket, 127.0.0.1, or tls", at.where)
	}
	return nil
}

// A listener is one socket with its HTTP server.
type listener struct {
	at     address
	socket net.Listener
	server *http.Server
	ending context.Context // done when streams have to end
	end    context.CancelFunc
	done   chan struct{} // closed when Serve has returned
}

func (srv *Server) listen(at address) (*listener, error) {
	if err := at.check(); err != nil {
		return nil, err
	}
	encryption, err := at.encryption()
	if err != nil {
		return nil, err
	}
	socket, err := srv.open(at)
	if err != nil {
		return nil, err
	}
	ending, end := context.WithCancel(context.Background())
	l := &listener{at: at, socket: socket, ending: ending, end: end, done: make(chan struct{}), server: &http.Server{
		Handler:           srv.handler(at),
		BaseContext:       func(net.Listener) context.Context { return ending },
		TLSConfig:         encryption,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headBytesMax,
		ErrorLog:          slog.NewLogLogger(srv.sources.Log.Handler(), slog.LevelWarn),
	}}
	go func() {
		defer close(l.done)
		if err := l.serve(); !errors.Is(err, http.ErrServerClosed) {
			srv.sources.Log.Error("the admin server ended", "address", at.where, "error", err)
		}
	}()
	return l, nil
}

// serve takes connections until the listener is closed.
func (l *listener) serve() error {
	socket := newLimited(l.socket, connectionsMax)
	if l.server.TLSConfig != nil {
		return l.server.ServeTLS(socket, "", "")
	}
	return l.server.Serve(socket)
}

// handler is what answers at an address.
func (srv *Server) handler(at address) (h http.Handler) {
	switch {
	case at.metrics:
		return onlyOwnHost{srv.metricsAlone(), at}
	case at.network == "unix":
		return srv.api(at.profiles)
	}
	if at.token == "" {
		return onlyOwnHost{srv.harmless(), at}
	}
	return onlyOwnHost{withToken{srv.api(at.profiles), at.token}, at}
}

// close ends l, which may be nil.
func (l *listener) close() error {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	l.end()
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
