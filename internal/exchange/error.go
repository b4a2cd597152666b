package exchange

import "fmt"

// Source says which side failed.
type Source uint8

const (
	Internal   Source = iota // we did: a fault of the proxy or a limit of its own
	Downstream               // the client or its connection did
	Upstream                 // the origin or its connection did
)

// String returns the name of s in logs.
func (s Source) String() string {
	switch s {
	case Downstream:
		return "downstream"
	case Upstream:
		return "upstream"
	}
	return "internal"
}

// Retry says whether the exchange may be tried again, on another connection or endpoint.
type Retry uint8

const (
	RetryNo         Retry = iota // the origin may have acted on it, or trying again would not help
	RetrySafe                    // nothing of the request can have been acted on: it never left
	RetryIdempotent              // the connection died before a byte came back: safe if the method is idempotent (RFC 9110, section 9.2.2)
)

// Kind is what went wrong: the error types of RFC 9209, section 2.3, by their registered names.
type Kind string

// The kinds in use. Those of the client's side answer with the status that RFC 9209 or RFC 9110 recommends.
const (
	KindDestinationNotFound     Kind = "destination_not_found"             // no route or pool for the target
	KindDestinationUnavailable  Kind = "destination_unavailable"           // no endpoint can be used now
	KindDNSError                Kind = "dns_error"                         // the endpoint's name did not resolve
	KindDNSTimeout              Kind = "dns_timeout"                       // the look-up took too long
	KindConnectionRefused       Kind = "connection_refused"                // connect was refused
	KindConnectionTerminated    Kind = "connection_terminated"             // closed before the response was whole
	KindConnectionTimeout       Kind = "connection_timeout"                // connect took too long
	KindConnectionReadTimeout   Kind = "connection_read_timeout"           // waited too long for bytes
	KindConnectionWriteTimeout  Kind = "connection_write_timeout"          // waited too long to write
	KindConnectionLimit         Kind = "connection_limit_reached"          // a limit on connections was reached
	KindHTTPRequestError        Kind = "http_request_error"                // the client's request is faulty
	KindHTTPRequestDenied       Kind = "http_request_denied"               // a rule refuses the request
	KindHTTPResponseIncomplete  Kind = "http_response_incomplete"          // the response ended early
	KindHTTPHeadTooLarge        Kind = "http_response_header_section_size" // response head over the limit
	KindHTTPLineTooLarge        Kind = "http_response_header_size"         // one field line over the limit
	KindHTTPTransferCoding      Kind = "http_response_transfer_coding"     // transfer coding cannot be read
	KindHTTPUpgradeFailed       Kind = "http_upgrade_failed"               // the origin's 101 does not fit the request
	KindHTTPResponseTimeout     Kind = "http_response_timeout"             // no response in time
	KindHTTPProtocolError       Kind = "http_protocol_error"               // the response breaks the protocol
	KindProxyInternalError      Kind = "proxy_internal_error"              // a fault of our own
	KindProxyConfigurationError Kind = "proxy_configuration_error"         // the config leads nowhere
	KindProxyLoopDetected       Kind = "proxy_loop_detected"               // the request came through us already
)

// LimitExchangeTimeout is the Error.Limit of an exchange that took too long as a whole.
const LimitExchangeTimeout = "limits.exchange_timeout"

// An Error says who failed, how, and whether it may be tried again.
type Error struct {
	Source Source
	Kind   Kind
	Retry  Retry
	// Status is the status to answer with; 0 leaves it to the kind.
	Status int
	// Limit is the config key of the limit that was reached: "limits.head"; empty if none was.
	Limit string
	Op    string // what was being done: "read request head", "connect"
	Err   error  // why; may be nil
}

// Error returns "upstream connection_refused: connect: …". It can name an origin's address: for logs, never for a client.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s %s: %s", e.Source, e.Kind, e.Op)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Source, e.Kind, e.Op, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }
