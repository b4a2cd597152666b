package exchange

// A Request is the message from the client, and what we forward of it.
// Received stays as it came on the wire; filters change the others.
type Request struct {
	Received Received
	// Method is a constant for registered methods, else a clone. It is case-sensitive (RFC 9110, section 9.1).
	Method string
	// Scheme is "http" or "https": how the client asked, after trusted proxies.
	Scheme string
	// Authority is the target URI's host and port, in lower case, as it will be forwarded (RFC 9110, section 7.2).
	Authority []byte
	// Host is the host of Authority without port, brackets kept, without a trailing dot: what routes match.
	Host []byte
	// Path is the path in normal form (docs/life-of-a-request.md): what is forwarded. "*" for OPTIONS * (RFC 9110, section 7.1).
	Path []byte
	// MatchPath is Path with doubled slashes merged: what routes match. It shares Path's memory where they are equal.
	MatchPath []byte
	// Query is what follows the first "?" of the request target, untouched. HasQuery tells "/?" from "/".
	Query    []byte
	HasQuery bool
	Fields   Fields
	// Content is what the request carries; nil if the message has none.
	Content Content
	// Trailers is the trailer section. It is complete once Content has ended, and empty before.
	Trailers Fields
	// Upgrade is the protocol that the client asks to switch to, in lower case and allowed by the route's settings; empty if none.
	Upgrade []byte
	// HopByHop lists, with commas, the unknown fields that Connection named: they are gone from Fields, and are no trailers (RFC 9110, section 7.6.1).
	HopByHop []byte
	// ExpectContinue is true if the client waits for 100 (Continue) before it sends content (RFC 9110, section 10.1.1).
	ExpectContinue bool
	// EarlyHints lets interim responses other than 100 (Continue) through to the client.
	EarlyHints bool
}

// Received is the request line as it came on the wire, for logs and for rules that must see what the client wrote.
type Received struct {
	Target  []byte // request target (RFC 9112, section 3.2)
	Host    []byte // value of the Host field, or the authority pseudo-field
	Version string // "HTTP/1.0", "HTTP/1.1", later "HTTP/2" and "HTTP/3"
}

// Reset empties r and keeps its memory.
func (r *Request) Reset() {
	fields, trailers := r.Fields, r.Trailers
	fields.Reset()
	trailers.Reset()
	*r = Request{Fields: fields, Trailers: trailers}
}

// A Response is the final response to a request: an origin's or our own.
type Response struct {
	Status int // 200 to 599, or 101 with a Tunnel
	// Reason is the origin's reason phrase; empty means the registered one. HTTP/2 and later do not send it.
	Reason []byte
	Fields Fields
	// Content is what the response carries; nil if it has none. It is read while it is sent.
	Content Content
	// Trailers is the trailer section. It is complete once Content has ended, and empty before.
	Trailers Fields
	// HopByHop is as in Request.
	HopByHop []byte
	// Tunnel is the origin's end of the connection after a successful upgrade (Status 101); nil otherwise.
	Tunnel Stream
	// Origin is true if an origin server made the response.
	Origin bool
}

// Reset empties r and keeps its memory. It does not close Content or Tunnel.
func (r *Response) Reset() {
	fields, trailers := r.Fields, r.Trailers
	fields.Reset()
	trailers.Reset()
	*r = Response{Fields: fields, Trailers: trailers}
}

// Discard gives up the response's content and tunnel, if it has any. An origin's connection with content left is not reused.
func (r *Response) Discard() {
	if r.Content != nil {
		r.Content.Close()
		r.Content = nil
	}
	if r.Tunnel != nil {
		r.Tunnel.Close()
		r.Tunnel = nil
	}
}
