package wire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sluice/test/proxytest"
)

const oneOrigin = `sites: { "http://:80": { to: origin:80 } }`

// eachDriver runs f on the drivers that do not cut bytes: what breaks breaks at every byte anyway.
func eachDriver(t *testing.T, f func(t *testing.T, d proxytest.Driver)) {
	for _, d := range proxytest.Drivers() {
		if !d.Slow {
			t.Run(d.Name, func(t *testing.T) { withoutLeaks(t, func(t *testing.T) { f(t, d) }) })
		}
	}
}

// echo answers with the content that it got. What is said to /held is answered when release is closed.
func echo(release <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return // the request is not whole: it must not be answered, and nobody waits
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		if r.URL.Path == "/held" {
			_, _ = w.Write(content[:len(content)/2])
			_ = http.NewResponseController(w).Flush()
			<-release
			content = content[len(content)/2:]
		}
		_, _ = w.Write(content)
	})
}

// wholes are what the content of requests must be that reach the origin whole.
var wholes = map[string]string{"/length": "0123456789", "/chunked": "01234567", "/b": "", "/": "abc", "/1": "abc", "/2": "def"}

// checked is h behind a look at what a client that has left must not have caused.
func checked(t *testing.T, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if whole, ok := wholes[r.URL.Path]; ok && r.Method != "GET" && err == nil && string(content) != whole {
			t.Errorf("%s %s has reached the origin with the content %q, as if that were whole", r.Method, r.URL, content)
		}
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), failing{err}))
		h.ServeHTTP(w, r)
	})
}

// failing is a reader that ends with an error, or in good order if that is nil.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// ask sends a request and checks that it gets content for it.
func ask(t *testing.T, p *proxytest.Peer, request, content string) bool {
	t.Helper()
	p.Send([]byte(request))
	got, err := p.Message()
	if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(got, []byte("\r\n\r\n"+content)) {
		t.Errorf("a bystander has got %q (%v)", got, err)
		return false
	}
	return true
}

func post(path, content string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n%s", path, len(content), content)
}

func TestClientLeavingAtEveryByteHarmsNobody(t *testing.T) {
	requests := []string{
		"GET /a/../b?c HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n",
		post("/length", "0123456789"),
		"POST /chunked HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n01234\r\n3\r\n567\r\n0\r\nX-Sum: 1\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
		post("/1", "abc") + post("/2", "def"),
		"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nabc",
	}
	eachDriver(t, func(t *testing.T, d proxytest.Driver) {
		release := make(chan struct{})
		proxy := proxytest.Run(t, oneOrigin, d, proxytest.Serve(t, "origin", checked(t, echo(release))))
		held := proxy.Connect("", "")
		half := strings.Repeat("held", 1000)
		held.Send([]byte(post("/held", half+half)))
		bystander := proxy.Connect("", "")
		for _, request := range requests {
			for n := range len(request) + 1 {
				for _, leave := range []func(*proxytest.Peer){(*proxytest.Peer).Hangup, (*proxytest.Peer).Reset} {
					p := proxy.Connect("", "")
					p.Send([]byte(request[:n]))
					leave(p)
					p.Close()
				}
				if content := strconv.Itoa(n); !ask(t, bystander, post("/bystander", content), content) {
					t.Fatalf("after %q", request[:n])
				}
			}
		}
		close(release)
		ask(t, held, "", half+half)
		held.Hangup()
		bystander.Hangup()
		proxy.WaitIdle()
	})
}

// A dying is a response that breaks off.
type dying struct {
	response string
	head     int // bytes of its head, interim ones included
	content  string
	anyEnd   bool // its content ends where the connection does
}

var dyings = map[string]dying{
	"length":  newDying("", "Content-Length: 10", "0123456789", "0123456789"),
	"chunked": newDying("", "Transfer-Encoding: chunked", "5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\nX-Sum: 1\r\n\r\n", "0123456789"),
	"close":   newDying("", "X-A: 1", "0123456789", "0123456789"),
	"interim": newDying("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "Content-Length: 2", "ok", "ok"),
}

func newDying(before, field, body, content string) dying {
	head := before + "HTTP/1.1 200 OK\r\n" + field + "\r\n\r\n"
	return dying{head + body, len(head), content, field == "X-A: 1"}
}

// die answers requests for /KIND/BYTES/HOW with so many bytes of a response, and then dies; others with their path.
func die(w http.ResponseWriter, r *http.Request) {
	part := strings.Split(r.URL.Path, "/")
	if len(part) != 4 {
		_, _ = io.WriteString(w, r.URL.Path)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	n, _ := strconv.Atoi(part[2])
	_, _ = io.WriteString(conn, dyings[part[1]].response[:n])
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok && part[3] == "reset" {
		_ = tcp.SetLinger(0)
	}
}

func TestOriginDyingAtEveryByteIsNeverPassedOffAsWhole(t *testing.T) {
	eachDriver(t, func(t *testing.T, d proxytest.Driver) {
		proxy := proxytest.Run(t, oneOrigin, d, proxytest.Serve(t, "origin", http.HandlerFunc(die)))
		bystander := proxy.Connect("", "")
		for kind, dy := range dyings {
			for n := range len(dy.response) + 1 {
				for _, how := range []string{"end", "reset"} {
					for _, version := range []string{"1.1", "1.0"} {
						checkDying(t, proxy, dy, kind, n, how, version)
					}
				}
				path := fmt.Sprintf("/bystander-%s-%d", kind, n)
				if !ask(t, bystander, "GET "+path+" HTTP/1.1\r\nHost: a.example\r\n\r\n", path) {
					t.FailNow()
				}
			}
		}
		bystander.Hangup()
		proxy.WaitIdle()
	})
}

// checkDying asks for a response that breaks off after n bytes and looks at what comes of it.
func checkDying(t *testing.T, proxy *proxytest.Proxy, dy dying, kind string, n int, how, version string) {
	t.Helper()
	p := proxy.Connect("", "")
	defer p.Close()
	p.Send(fmt.Appendf(nil, "GET /%s/%d/%s HTTP/%s\r\nHost: a.example\r\n\r\n", kind, n, how, version))
	p.End()
	got, err := p.Message()
	_, broken, _ := p.Rest()
	_, content, _ := bytes.Cut(got, []byte("\r\n\r\n"))
	whole := n == len(dy.response) && how == "end"
	bad := ""
	switch {
	case err != nil || broken: // the client sees that something is missing
		if whole {
			bad = "a whole response was cut off"
		}
	case bytes.HasPrefix(got, []byte("HTTP/1.1 502 ")):
		if n >= dy.head && how == "end" {
			bad = "a response that had begun was refused"
		}
	case !bytes.HasPrefix(got, []byte("HTTP/1.1 200 ")):
		bad = "it is no response"
	case n < dy.head:
		bad = "a response without a whole head"
	case dy.anyEnd && how == "end": // nobody can tell that something is missing
		if plain := unchunk(content, version); plain != dy.content[:n-dy.head] {
			bad = "other content: " + plain
		}
	case unchunk(content, version) != dy.content:
		bad = "truncated content passed off as whole"
	}
	if bad != "" {
		t.Errorf("%s after %d bytes by %s, to HTTP/%s: %s: %q (%v, broken: %v)", kind, n, how, version, bad, got, err, broken)
	}
}

// unchunk takes the frame off what Message has made one chunk.
func unchunk(content []byte, version string) string {
	_, rest, framed := bytes.Cut(content, []byte("\r\n"))
	if version == "1.0" || !framed {
		return string(content)
	}
	data, _, framed := bytes.Cut(rest, []byte("\r\n0\r\n"))
	if !framed {
		return "" // the last chunk alone
	}
	return string(data)
}
