package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is where an origin listens, or the admin server.
type Address struct {
	Scheme string // "http", "https" or "h2c" (HTTP/2 without TLS, by prior knowledge)
	Host   string // a name in lower case, or an IP address without brackets; "" for Unix sockets
	Port   uint16 // 0 for Unix sockets
	Path   string // of a Unix socket, absolute; else ""
}

// ParseAddress reads "10.0.0.1:80", "name:80", "[::1]:80", "http://name", "https://name:8443", "h2c://name:50051" or "unix:/run/app.sock". Without a scheme it
// is http and needs a port; http has 80 and https 443 where none is written; h2c needs one.
func ParseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return unixAddress(path)
	}
	if err := notAnAddress(s); err != nil {
		return Address{}, err
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "http", s
	}
	var byDefault uint16
	switch {
	case scheme == "http" && found:
		byDefault = 80
	case scheme == "https":
		byDefault = 443
	case scheme != "http" && scheme != "h2c":
		return Address{}, nameFault(fmt.Sprintf("scheme %q is not known; an origin is http://, https://, h2c:// or unix:", scheme), nearScheme(scheme, rest))
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		if found && rest[i:] == "/" {
			return Address{}, nameFault("an address ends with its port", s[:len(s)-1])
		}
		return Address{}, nameFault("an address has no path; a rewrite changes the path of requests", s[:len(s)-len(rest)+i])
	}
	if strings.Contains(rest, "@") {
		return Address{}, nameFault("an address holds no user or password", "")
	}
	a, err := tcpAddress(scheme, rest, byDefault)
	return a, withScheme(err, s[:len(s)-len(rest)])
}

// notAnAddress finds what is written instead of an address: a port, a path, a variable of shells, several addresses.
func notAnAddress(s string) error {
	digits, rest := cutDigits(strings.TrimPrefix(s, ":"))
	switch {
	case s == "":
		return nameFault("it is empty", "")
	case digits != "" && rest == "":
		return nameFault("a port alone is no address", "127.0.0.1:"+digits)
	case s[0] == '/':
		return nameFault("a Unix socket is written as unix:/run/app.sock", "unix:"+s)
	case s[0] == '$' && isVariable(strings.SplitN(s[1:], ":", 2)[0]):
		name, port, _ := strings.Cut(s[1:], ":")
		return nameFault("a variable stands in braces", strings.TrimSuffix("${"+name+"}:"+port, ":"))
	case strings.ContainsAny(s, ",;") || len(strings.Fields(s)) > 1 && strings.Count(s, ":") > 1:
		return nameFault("several addresses are written as a list: [10.0.0.1:80, 10.0.0.2:80]", "")
	case strings.Contains(s, " ") && !strings.Contains(s, "{"):
		return nameFault("an address has no spaces", strings.Join(strings.Fields(s), ""))
	}
	return nil
}

func tcpAddress(scheme, rest string, byDefault uint16) (Address, error) {
	host, port, err := splitPort(rest)
	if err != nil {
		return Address{}, err
	}
	a := Address{Scheme: scheme, Host: lowerHost(host), Port: byDefault}
	if port != "" {
		if a.Port, err = parsePort(port); err != nil {
			return Address{}, err
		}
	}
	if addr, err := netip.ParseAddr(a.Host); err == nil && addr.Is6() {
		a.Host = addr.String()
	} else if err := checkHost(a.Host); err != nil {
		return Address{}, err
	}
	if a.Port == 0 {
		return Address{}, nameFault("an address needs a port", rest+":80")
	}
	return a, nil
}

func unixAddress(path string) (Address, error) {
	switch {
	case strings.HasPrefix(path, "//") && len(path) > 2:
		return Address{}, nameFault("a Unix socket is written as unix:/run/app.sock", "unix:/"+strings.TrimLeft(path, "/"))
	case !strings.HasPrefix(path, "/"):
		return Address{}, nameFault("the path of a Unix socket begins with /", "")
	case len(path) > unixBytesMax:
		return Address{}, nameFault(fmt.Sprintf("the path of a Unix socket has at most %d bytes", unixBytesMax), "")
	}
	return Address{Scheme: "http", Path: path}, nil
}

// String returns the address in one form for each address: "http://10.0.0.1:80", "unix:/run/app.sock". It can serve as a key.
func (a Address) String() string {
	if a.Path != "" {
		return "unix:" + a.Path
	}
	return a.Scheme + "://" + a.HostPort()
}

// HostPort is the address to dial: "10.0.0.1:80", "[::1]:80", "" for Unix sockets.
func (a Address) HostPort() string {
	if a.Path != "" {
		return ""
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// ConfigForms implements Formed.
func (*Address) ConfigForms() []any {
	return []any{Form{Text: "an address such as 10.0.0.1:80, https://name or unix:/run/app.sock"}}
}

// DecodeConfig implements NodeDecoder.
func (a *Address) DecodeConfig(d *Decoder, n *Node) {
	if n.Kind != Scalar || n.IsOff() {
		d.wrong(n, "wrong-type", "an address such as 10.0.0.1:80 or unix:/run/app.sock", "")
		return
	}
	if !d.OneLine(n) {
		return
	}
	d.hideUser(n)
	address, err := ParseAddress(n.Value)
	if err != nil {
		d.scalarError(n, "bad-address", err)
		return
	}
	*a = address
}
