package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/proxytest"
)

// clientsMixed is how many clients there are at a time.
const clientsMixed = 16

func TestMixedExchangesKeepTheirContentAndLeaveNothing(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 300
	}
	eachDriver(t, func(t *testing.T, d proxytest.Driver) { mixExchanges(t, d, n) })
}

// mixExchanges has clients and an origin of net/http exchange content of all sizes in all ways through the proxy, some of them breaking off, and checks what
// comes out at either end.
func mixExchanges(t *testing.T, d proxytest.Driver, n int) {
	proxy := proxytest.Run(t, oneOrigin, d, proxytest.Serve(t, "origin", http.HandlerFunc(mixedOrigin)))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var left atomic.Int64
	left.Store(int64(n))
	var clients sync.WaitGroup
	for i := range clientsMixed {
		clients.Go(func() {
			c := newMixedClient(t, proxy, rand.New(rand.NewPCG(seed, uint64(i))))
			defer c.transport.CloseIdleConnections()
			for left.Add(-1) >= 0 && !t.Failed() {
				c.exchange()
			}
		})
	}
	clients.Wait()
	proxy.WaitIdle()
}

// mixedOrigin answers with what it got (POST, PUT) or with so many bytes (GET), by length or in chunks, and breaks off where it is told to.
func mixedOrigin(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	number := func(key string) int { n, _ := strconv.Atoi(ask.Get(key)); return n }
	size, stop := number("size"), number("stop")
	content := pattern(size)
	if r.Method != "GET" && r.Method != "HEAD" {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client has broken off
		}
		if !bytes.Equal(got, content) {
			http.Error(w, fmt.Sprintf("the origin has got %d bytes, not the %d that were sent", len(got), size), http.StatusTeapot)
			return
		}
	}
	if ask.Get("chunked") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(size))
	}
	if ask.Get("close") != "" {
		w.Header().Set("Connection", "close")
	}
	if stop > 0 {
		_, _ = w.Write(content[:stop-1])
		panic(http.ErrAbortHandler)
	}
	for len(content) > 0 { // in pieces, so that chunks differ
		n := min(len(content), 10_000)
		_, _ = w.Write(content[:n])
		content = content[n:]
		if ask.Get("flush") != "" {
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// patternBytes are what contents are made of: no part of them looks like another one nearby.
var patternBytes = func() []byte {
	b := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

// pattern returns the content of that size.
func pattern(size int) []byte { return patternBytes[:size] }

// A mixedClient makes exchanges one after the other.
type mixedClient struct {
	t         *testing.T
	address   string
	random    *rand.Rand
	transport *http.Transport
}

func newMixedClient(t *testing.T, p *proxytest.Proxy, r *rand.Rand) *mixedClient {
	return &mixedClient{t, p.Address(""), r, &http.Transport{DisableCompression: true}}
}

// one returns true once in n times.
func (c *mixedClient) one(n int) bool { return c.random.IntN(n) == 0 }

// exchange makes one exchange of a kind by chance.
func (c *mixedClient) exchange() {
	size := []int{0, 1, c.random.IntN(1000), c.random.IntN(20_000), c.random.IntN(300_000)}[c.random.IntN(5)]
	method := []string{"GET", "GET", "HEAD", "POST", "PUT"}[c.random.IntN(5)]
	url := fmt.Sprintf("http://%s/?size=%d", c.address, size)
	stop := -1
	if c.one(10) && method != "HEAD" {
		stop = c.random.IntN(size + 1)
		url += fmt.Sprintf("&stop=%d", stop+1)
	}
	for _, way := range []string{"&chunked=1", "&flush=1", "&close=1"} {
		if c.one(3) {
			url += way
		}
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), proxytest.Patience)
	defer cancel()
	request, leaves := c.request(ctx, cancel, method, url, size)
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		if !leaves && stop < 0 {
			c.t.Errorf("%s %s: %v", method, url, err)
		}
		return
	}
	defer response.Body.Close()
	c.check(request, response, size, stop, leaves)
}

// request makes a request. leaves says that the client will break off inside its content.
func (c *mixedClient) request(ctx context.Context, cancel func(), method, url string, size int) (r *http.Request, leaves bool) {
	var body io.Reader
	if method == "POST" || method == "PUT" {
		body = bytes.NewReader(pattern(size))
		if leaves = size > 0 && c.one(10); leaves {
			body = io.MultiReader(bytes.NewReader(pattern(c.random.IntN(size))), leaver{cancel})
		}
		if c.one(3) {
			body = struct{ io.Reader }{body} // of a length that net/http does not know: chunked
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if leaves && c.one(2) {
		r.ContentLength = int64(size)
	}
	r.Close = c.one(5)
	return r, leaves
}

// A leaver is content that makes its client leave.
type leaver struct{ cancel func() }

// Read implements io.Reader.
func (l leaver) Read([]byte) (int, error) {
	l.cancel()
	return 0, errors.New("the client leaves")
}

// check reads the response and compares. A client leaves inside it now and then.
func (c *mixedClient) check(request *http.Request, response *http.Response, size, stop int, leaves bool) {
	what := fmt.Sprintf("%s %s", request.Method, request.URL)
	if c.one(10) {
		_, _ = io.CopyN(io.Discard, response.Body, int64(c.random.IntN(size+1)))
		return // closing the rest ends the connection
	}
	got, err := io.ReadAll(response.Body)
	want := pattern(size)
	if request.Method == "HEAD" {
		want = nil
	}
	switch {
	case stop >= 0 && response.StatusCode == http.StatusBadGateway: // it broke off before its head
	case response.StatusCode != http.StatusOK:
		c.t.Errorf("%s: %s %q", what, response.Status, got)
	case stop >= 0 && err == nil && !(stop == size && bytes.Equal(got, want)):
		c.t.Errorf("%s: %d bytes were passed off as the whole of %d", what, len(got), size)
	case stop < 0 && !leaves && (err != nil || !bytes.Equal(got, want)):
		c.t.Errorf("%s: got %d of %d bytes, equal so far: %v (%v)", what, len(got), len(want), bytes.HasPrefix(want, got), err)
	}
}
