package admin

import (
	"net"
	"os"
)

// name is how the process that takes over asks for the socket of an address.
func (at address) name() string {
	if at.network == "unix" {
		return "unix:" + at.where
	}
	return at.where
}

// inherited returns the socket of that address if it was handed over, else nil.
func (srv *Server) inherited(at address) (net.Listener, error) {
	if srv.sources.Inherited == nil {
		return nil, nil
	}
	socket, err := srv.sources.Inherited(at.name())
	if err != nil || socket == nil || at.network != "unix" {
		return socket, err
	}
	mine, err := os.Lstat(at.where)
	if err != nil { // somebody has removed the file: without it nobody can connect
		return nil, socket.Close()
	}
	return &unixListener{Listener: socket, path: at.where, mine: mine}, nil
}

// open returns the socket of an address: one that was handed over, or a new one.
func (srv *Server) open(at address) (net.Listener, error) {
	if socket, err := srv.inherited(at); socket != nil || err != nil {
		return socket, err
	}
	return at.open()
}

// Sockets returns what duplicate makes of the listening sockets, and the addresses by which the process that takes over asks for them. The caller closes the files,
// also those that come with an error.
func (srv *Server) Sockets(duplicate func(net.Listener) (*os.File, error)) (addresses []string, files []*os.File, err error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for _, l := range []*listener{srv.admin, srv.metrics} {
		if l == nil {
			continue
		}
		socket := l.socket
		if unix, ok := socket.(*unixListener); ok {
			socket = unix.Listener
		}
		file, err := duplicate(socket)
		if err != nil {
			return addresses, files, err
		}
		addresses, files = append(addresses, l.at.name()), append(files, file)
	}
	return addresses, files, nil
}

// Disown leaves the file of the Unix socket to the process that the socket was handed to, or that it came from: it stays when this server is closed.
func (srv *Server) Disown() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.admin == nil {
		return
	}
	if l, ok := srv.admin.socket.(*unixListener); ok {
		l.once.Do(func() {}) // what removes the file
	}
}
