package admin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	clientTimeout = time.Minute // of a whole request: a reload of a large config takes seconds
	answerMax     = 64 << 20    // bytes of an answer
	lineMax       = 16 << 20    // bytes of a line of a stream
)

// A Client asks the admin server of a running process.
type Client struct {
	at    address
	base  string // of URLs
	token string
	http  http.Client
}

// ErrCutOff says that a stream of events broke off: the process was killed, or the reader took none for too long.
var ErrCutOff = errors.New("the connection was cut off")

// ClientSettings say how a process is reached.
type ClientSettings struct {
	// Address is as Settings.Listen has it; "https://host:port" is TCP with TLS.
	Address string
	// Token is for TCP.
	Token string
	// CAFile holds certificates to trust beside those of the system, in PEM; "" is none.
	CAFile string
}

// NewClient returns a client. The error is about the file.
func NewClient(s ClientSettings) (*Client, error) {
	where, encrypted := strings.CutPrefix(s.Address, "https://")
	c := &Client{at: addressOf(strings.TrimPrefix(where, "http://")), base: "http://localhost", token: s.Token}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, c.at.network, c.at.where)
		},
	}
	if c.at.network == "tcp" {
		c.base = "http://" + c.at.where
	}
	if encrypted {
		c.base = "https://" + c.at.where
		roots, err := roots(s.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}
	}
	c.http.Transport = transport
	return c, nil
}

// roots are the system's certificates and those of a file.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in PEM", file)
	}
	return pool, nil
}

// Status asks for the status.
func (c *Client) Status() (*Status, error) {
	s := &Status{}
	return s, c.ask(http.MethodGet, "/v1/status", nil, nil, s)
}

// Reload has the process read its config again. The error says that it could not be asked; what came of it is in the answer.
func (c *Client) Reload() (*Outcome, error) { return c.act("/v1/reload") }

// Upgrade has the process start the program anew, which takes over.
func (c *Client) Upgrade() (*Outcome, error) { return c.act("/v1/upgrade") }

// Confirm ends a trial: its config stays.
func (c *Client) Confirm() (*Outcome, error) { return c.act("/v1/config/confirm") }

// Rollback brings the config before the last change back.
func (c *Client) Rollback() (*Outcome, error) { return c.act("/v1/config/rollback") }

func (c *Client) act(path string) (*Outcome, error) {
	o := &Outcome{}
	return o, c.ask(http.MethodPost, path, nil, nil, o)
}

// Apply puts a config in force.
func (c *Client) Apply(a Application) (*Outcome, error) {
	query := url.Values{"name": {a.Name}}
	if a.For > 0 {
		query.Set("for", a.For.String())
	}
	if !a.Save {
		query.Set("save", "false")
	}
	var fields http.Header
	if a.IfMatch != "" {
		fields = http.Header{"If-Match": {quote(a.IfMatch)}}
	}
	o := &Outcome{}
	return o, c.ask(http.MethodPut, "/v1/config?"+query.Encode(), fields, a.Text, o)
}

// Diff asks what a config would change; without text, what a reload would. What is wrong with the config is in the Outcome.
func (c *Client) Diff(name string, text []byte) (*Difference, error) {
	d := &Difference{}
	return d, c.ask(http.MethodPost, "/v1/config/diff?"+url.Values{"name": {name}}.Encode(), nil, text, d)
}

// Rotate changes the share of a server.
func (c *Client) Rotate(pool, endpoint string, r Rotation) ([]Endpoint, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var all []Endpoint
	return all, c.ask(http.MethodPut, "/v1/pools/"+url.PathEscape(pool)+"/endpoints/"+url.PathEscape(endpoint), nil, text, &all)
}

// Events calls each with the events that query asks for, until ctx is done or each returns an error, which Events returns. It returns nil if the server has ended it,
// and an ErrCutOff if the connection broke after it was there: events may have been missed.
func (c *Client) Events(ctx context.Context, query url.Values, each func(kind string, data []byte) error) error {
	a, err := c.open(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(a.Body, answerMax))
		return c.decode(text, nil)
	}
	lines := bufio.NewScanner(a.Body)
	lines.Buffer(nil, lineMax)
	kind := ""
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(name) {
		case "event":
			kind = string(value)
		case "data":
			if err := each(kind, value); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrCutOff, err)
	}
	return nil
}

// open makes a request.
func (c *Client) open(ctx context.Context, method, path string, fields http.Header, content []byte) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	for name, values := range fields {
		q.Header[name] = values
	}
	if c.token != "" {
		q.Header.Set("Authorization", "Bearer "+c.token)
	}
	a, err := c.http.Do(q)
	if err != nil {
		return nil, c.explained(err)
	}
	return a, nil
}

// ask makes a request and decodes the answer.
func (c *Client) ask(method, path string, fields http.Header, content []byte, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	defer cancel()
	a, err := c.open(ctx, method, path, fields, content)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, answerMax))
	if err != nil {
		return fmt.Errorf("admin server at %s: %w", c.at.where, err)
	}
	return c.decode(text, into)
}

// decode reads an answer: what was asked for, or why it is refused.
func (c *Client) decode(text []byte, into any) error {
	var refused apiError
	if json.Unmarshal(text, &refused) == nil && refused.Error.Message != "" {
		return fmt.Errorf("the admin server at %s refuses: %s", c.at.where, refused.Error.Message)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("what answers at %s is no admin server of Sluice: %w", c.at.where, err)
	}
	return nil
}

// explained says what to do about an error of a connection.
func (c *Client) explained(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no Sluice answers at %s: is it running, with another admin address (--admin)?", c.at.where)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s belongs to another user: ask as the one that Sluice runs as", c.at.where)
	}
	return fmt.Errorf("admin server at %s: %w", c.at.where, err)
}
