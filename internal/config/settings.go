package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Limits bound what the whole process takes, under limits at the top. Each is reached cheaply: the request is refused, or the connection closed.
type Limits struct {
	// Loops is how many event loops share the work; 0 is one for each processor that the process may use. It changes at the next start only.
	Loops int `conf:"loops,min=0,max=1024"`
	// Connections is how many clients may be connected at once; off is half of the descriptors that the process may have above 256, 16 at
	// least. Further ones get 503.
	Connections int `conf:"connections,off,min=0"`
	// ConnectionsPerAddress is how many connections one client address may have; off is no limit, since many clients can be behind one address.
	ConnectionsPerAddress int `conf:"connections_per_address,off,min=0"`
	// Head is the largest head of a request, with its request line.
	Head Size `conf:"head,min=1KiB,max=1MiB"`
	// Field is the largest name, and the largest value, of one field line.
	Field Size `conf:"field,min=256,max=1MiB"`
	// Fields is how many field lines a head may have.
	Fields int `conf:"fields,min=16,max=10000"`
	// Target is the longest request target.
	Target Size `conf:"target,min=256,max=1MiB"`
	// Trailers is the largest trailer section.
	Trailers Size `conf:"trailers,min=256,max=1MiB"`
	// ChunkExtensions is how many bytes of chunk extensions a message may be ahead of its content.
	ChunkExtensions Size `conf:"chunk_extensions,min=256,max=1MiB"`
	// ResponseHead is the largest head of a server's response, also of one field line of it.
	ResponseHead Size `conf:"response_head,min=1KiB,max=1MiB"`
	// ResponseFields is how many field lines the head of a server's response may have.
	ResponseFields int `conf:"response_fields,min=16,max=10000"`
	// HeadTimeout is the longest from a request's first byte to the end of its head.
	HeadTimeout Duration `conf:"head_timeout,min=100ms"`
	// IdleTimeout is how long a connection may be without an exchange.
	IdleTimeout Duration `conf:"idle_timeout,min=100ms"`
	// SendTimeout is the longest a client may take nothing of what is sent to it, or a server of a request. A client that takes something but less than min_rate is
	// given up when it is so far behind.
	SendTimeout Duration `conf:"send_timeout,min=100ms"`
	// LingerTimeout is how long what a client still sends is read and dropped after a refusal, so that it gets to read the refusal.
	LingerTimeout Duration `conf:"linger_timeout,min=100ms"`
	// Linger is how much of that is read.
	Linger Size `conf:"linger,min=0"`
	// TunnelTimeout is how long an upgraded connection may be without a byte in either direction; off is no limit.
	TunnelTimeout Duration `conf:"tunnel_timeout,off,min=100ms"`
	// DrainTimeout is how long exchanges may go on after the process was told to end; off ends them at once.
	DrainTimeout Duration `conf:"drain_timeout,off,min=0s"`
	// Requests is how many requests one connection may bring; off is no limit.
	Requests int `conf:"requests,off,min=0"`

	SiteLimits
}

// SiteLimits are the limits that a site or route can set for itself. Under limits at the top they are for all sites.
type SiteLimits struct {
	// RequestBody is the largest content of a request; off is no limit.
	RequestBody Size `conf:"request_body,off"`
	// MinRate is the slowest a request's content may come; off is no limit. Tunnels and full-duplex streams are exempt.
	MinRate MinRate `conf:"min_rate,off"`
	// ExchangeTimeout is the longest an exchange may take as a whole; off is no limit.
	ExchangeTimeout Duration `conf:"exchange_timeout,off,min=1ms"`
}

// ConfigName implements Named.
func (*SiteLimits) ConfigName() string { return "the limits of a site" }

// MinRate is a minimum data rate; a rate of zero is none.
type MinRate struct {
	// Rate is in bytes for each second.
	Rate Size `conf:"rate,min=1"`
	// After is the time before the rate is looked at for the first time.
	After Duration `conf:"after"`
}

// Defaults implements Defaulter.
func (l *Limits) Defaults() {
	*l = Limits{
		Head: 64 << 10, Field: 16 << 10, Fields: 128, Target: 16 << 10, Trailers: 16 << 10, ChunkExtensions: 16 << 10,
		ResponseHead: 64 << 10, ResponseFields: 256, Linger: 64 << 20,
		HeadTimeout:   Duration(10 * time.Second),
		IdleTimeout:   Duration(75 * time.Second),
		SendTimeout:   Duration(60 * time.Second),
		LingerTimeout: Duration(5 * time.Second),
		TunnelTimeout: Duration(time.Hour),
		DrainTimeout:  Duration(30 * time.Second),
		SiteLimits:    SiteLimits{MinRate: MinRate{Rate: 240, After: Duration(5 * time.Second)}},
	}
}

// ConfigName implements Named.
func (*Limits) ConfigName() string { return "limits" }

// Admin is the server for operators. It is a Unix socket unless a setting says otherwise.
type Admin struct {
	// Listen is where it listens; without it that is the Unix socket in the runtime directory.
	Listen *Address `conf:"listen"`
	// Token is what requests must have if it listens on TCP, as "Authorization: Bearer TOKEN". Whoever has it can change the config. Without one, on loopback only,
	// there are status and metrics and nothing else.
	Token string `conf:"token,secret"`
	// TLS encrypts what goes over TCP; it is needed where that is not loopback.
	TLS *AdminTLS `conf:"tls"`
	// Metrics says whether metrics are served; an address has them served there, too, and nothing else, to whoever can reach it.
	Metrics Metrics `conf:"metrics,off"`
	// Profiles says whether profiles of the process are served, for go tool pprof.
	Profiles bool `conf:"profiles"`
}

// AdminTLS is how the admin server encrypts.
type AdminTLS struct {
	// Cert is a file with its certificate and the chain of it, in PEM.
	Cert string `conf:"cert,required"`
	// Key is a file with the key of the certificate, in PEM.
	Key string `conf:"key,required"`
}

// Metrics is where metrics are served. Its short form is true, false or an address.
type Metrics struct {
	On      bool
	Address *Address // beside the admin server; nil: there only
}

// DecodeConfig implements NodeDecoder.
func (m *Metrics) DecodeConfig(d *Decoder, n *Node) {
	if n.Kind == Scalar && (n.Value == "true" || n.Value == "false") {
		d.Decode(n, &m.On)
		return
	}
	if n.Kind != Scalar || !strings.Contains(n.Value, ":") {
		hint := ""
		if meansOff(n) {
			hint = `did you mean "false"?`
		} else if n.Kind == Scalar && (strings.EqualFold(n.Value, "yes") || strings.EqualFold(n.Value, "on")) {
			hint = `did you mean "true"?`
		}
		d.wrong(n, "wrong-type", "true, false or an address", hint)
		return
	}
	m.On, m.Address = true, &Address{}
	if port, ok := strings.CutPrefix(n.Value, ":"); ok && n.Kind == Scalar {
		var err error
		if m.Address.Port, err = parsePort(port); err != nil {
			d.Hintf(n, "bad-address", "write true, false, or host:port", "%s is not an address", describe(n))
		}
		return
	}
	before := d.errors
	d.Decode(n, m.Address)
	if d.errors > before {
		return
	}
	if m.Address.Path != "" || m.Address.Scheme != "http" {
		d.Hintf(n, "bad-address", "write true, false, or host:port", "metrics are served over HTTP at an address of TCP")
	}
}

// ConfigForms implements Formed.
func (*Metrics) ConfigForms() []any { return []any{true, Address{}} }

// tokenMin is the shortest token, in bytes: a shorter one could be guessed.
const tokenMin = 16

// Defaults implements Defaulter.
func (a *Admin) Defaults() { *a = Admin{Metrics: Metrics{On: true}} }

// ValidateConfig implements Validator.
func (a *Admin) ValidateConfig(d *Decoder, n *Node) {
	if a.Listen == nil || a.Listen.Path != "" {
		return
	}
	at := n.Get("listen")
	addr, err := netip.ParseAddr(a.Listen.Host)
	loopback := a.Listen.Host == "localhost" || err == nil && addr.IsLoopback()
	switch {
	case *a.Listen == (Address{}): // what is wrong with it has been said
	case a.Listen.Scheme != "http":
		d.Hintf(at, "bad-address", "", `the admin server's address has no scheme; "tls" beside it says that it encrypts`)
	case n.Get("token") == nil && !loopback:
		d.Hintf(at, "needs-token", `add token: "${file:/etc/sluice/admin.token}", or use 127.0.0.1 or a Unix socket`, "other machines can reach this address: there the admin server needs a token and TLS")
	case a.Token != "" && len(a.Token) < tokenMin:
		d.Hintf(n.Get("token"), "weak-token", "openssl rand -hex 32 makes a good one", "the token has less than %d characters: it could be guessed", tokenMin)
	case !loopback && a.TLS == nil:
		d.Hintf(at, "needs-tls", "add tls: { cert: FILE, key: FILE }, or listen on 127.0.0.1", "other machines can reach this address: without TLS the token could be read on its way")
	}
}

// TrustedProxies says which proxies in front of us may tell where a request came from. Its short form is the list of networks.
type TrustedProxies struct {
	Node *Node `conf:",node"`

	// Networks are their addresses.
	Networks []netip.Prefix `conf:"networks"`
	// Unix trusts whoever comes over a Unix socket.
	Unix bool `conf:"unix"`
	// Fields are the fields that they write: "either", "x_forwarded" (X-Forwarded-For, -Proto, -Host) or "forwarded" (RFC 7239).
	Fields TrustedFields `conf:"fields"`
}

// TrustedFields names a family of fields.
type TrustedFields string

// ConfigWords implements Words.
func (TrustedFields) ConfigWords() []string { return []string{"either", "x_forwarded", "forwarded"} }

// DecodeConfig implements NodeDecoder.
func (t *TrustedProxies) DecodeConfig(d *Decoder, n *Node) {
	t.Node = n
	networks := n
	if n.Kind == Map {
		d.Fields(n, t)
		networks = n.Get("networks")
	} else {
		d.Decode(n, &t.Networks)
	}
	for i, p := range t.Networks {
		if p.IsValid() && p.Bits() == 0 && networks.Kind == List {
			d.Warnf(networks.Items[i], "trusts-everyone", "every address is in this network: any client can say that it is another one")
		}
	}
}

// ConfigForms implements Formed.
func (*TrustedProxies) ConfigForms() []any {
	return []any{[]netip.Prefix{}, Fields{TrustedProxies{Fields: "either"}}}
}

// Listener says more about a port than the names of sites do.
type Listener struct {
	Node *Node `conf:",node"`

	// Addresses are the local addresses to listen on; none means all.
	Addresses []netip.Addr `conf:"addresses,one"`
}

// ValidateConfig implements Validator.
func (l *Listener) ValidateConfig(d *Decoder, n *Node) {
	seen := map[netip.Addr]bool{}
	for i, node := range n.Get("addresses").all() {
		if i < len(l.Addresses) && l.Addresses[i].IsValid() {
			if seen[l.Addresses[i]] {
				d.Hintf(node, "duplicate-address", "take it away", "%v is there already", l.Addresses[i])
			}
			seen[l.Addresses[i]] = true
		}
	}
}

// ConfigName implements Named.
func (*Listener) ConfigName() string { return "a listener" }

// ACME says how certificates are got (RFC 8555).
type ACME struct {
	// Directory is the URL of the authority; "" is the default one.
	Directory string `conf:"directory"`
	// CAFile holds certificates of a private authority to trust for the directory, in PEM.
	CAFile string `conf:"ca_file"`
	// Email is who the authority writes to; without it the top-level email.
	Email string `conf:"email"`
	// Challenges are the kinds that may be used: "http-01", "tls-alpn-01", "dns-01"; none means the first two.
	Challenges []Challenge `conf:"challenges,one"`
	// Profile is the authority's name for a kind of certificate.
	Profile string `conf:"profile"`
	// EAB ties the account to one at the authority (RFC 8555, section 7.3.4).
	EAB *EAB `conf:"eab"`
	// Storage is the folder for certificates and keys; "" is the default one.
	Storage string `conf:"storage"`
}

// ValidateConfig implements Validator.
func (a *ACME) ValidateConfig(d *Decoder, n *Node) {
	checkEmail(d, n.Get("email"))
	if n.Get("directory") == nil {
		return
	}
	d.hideUser(n.Get("directory"))
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		d.Errorf(n.Get("directory"), "bad-url", `"directory" is the https:// URL of an ACME directory`)
	}
}

// checkEmail refuses an address that no mail can reach; "" is none.
func checkEmail(d *Decoder, n *Node) {
	if n == nil || n.Kind != Scalar || n.Value == "" {
		return
	}
	user, host, found := strings.Cut(n.Value, "@")
	if !found || user == "" || strings.ContainsAny(n.Value, " \t<>,;") || strings.Contains(host, "@") || checkHost(lowerHost(host)) != nil {
		d.Errorf(n, "bad-email", "%s is not an e-mail address", describe(n))
	}
}

// secretLeast is the least length of a value that can be a key, in bytes.
const secretLeast = 8

// EAB is a key that an authority gave out. The key is a secret.
type EAB struct {
	// KeyID is the key's name at the authority.
	KeyID string `conf:"kid,required"`
	// Key is the key in base64url.
	Key string `conf:"key,required,secret"`
}

// ValidateConfig implements Validator.
func (e *EAB) ValidateConfig(d *Decoder, n *Node) {
	if key := n.Get("key"); key != nil && key.Kind == Scalar && key.Written == "" && len(key.Value) >= secretLeast {
		d.Warnf(key, "plain-secret", "this key can be read by all who read this file; ${file:PATH} or ${NAME} fills it in")
	}
}

// Challenge is a kind of proof that one holds a name.
type Challenge string

// ConfigWords implements Words.
func (Challenge) ConfigWords() []string { return []string{"http-01", "tls-alpn-01", "dns-01"} }
