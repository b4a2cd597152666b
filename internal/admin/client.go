package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	clientTimeout = time.Minute // of a whole request: a reload of a large config takes seconds
	answerMax     = 64 << 20    // bytes of an answer
)

// A Client asks the admin server of a running process.
type Client struct {
	at   address
	http http.Client
}

// NewClient returns a client for an address as Settings.Listen has it; "" is the default socket.
func NewClient(listen string) *Client {
	c := &Client{at: adminAddress(listen)}
	c.http.Timeout = clientTimeout
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, c.at.network, c.at.where)
		},
	}
	return c
}

// Status asks for the status.
func (c *Client) Status() (*Status, error) {
	s := &Status{}
	return s, c.ask(http.MethodGet, "/v1/status", s)
}

// Reload has the process read its config again. The error says that it could not be asked; what came of it is in the answer.
func (c *Client) Reload() (*Reload, error) {
	r := &Reload{}
	return r, c.ask(http.MethodPost, "/v1/reload", r)
}

// ask makes a request and decodes the answer.
func (c *Client) ask(method, path string, into any) error {
	q, err := http.NewRequest(method, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	a, err := c.http.Do(q)
	if err != nil {
		return c.explained(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, answerMax))
	if err != nil {
		return fmt.Errorf("admin server at %s: %w", c.at.where, err)
	}
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
