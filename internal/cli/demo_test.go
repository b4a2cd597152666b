package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// startDemoProcess runs "sluice demo" and returns its port and what it printed.
func startDemoProcess(t *testing.T) (p *process, port int, guide string) {
	t.Helper()
	c := sluice(t, "demo")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	c.Stdout = w
	p = start(t, c)
	w.Close()
	for s := bufio.NewScanner(r); s.Scan(); {
		guide += s.Text() + "\n"
		if strings.HasPrefix(s.Text(), "Ctrl-C") {
			break
		}
	}
	_, after, _ := strings.Cut(guide, "http://localhost:")
	digits, _, _ := strings.Cut(after, "/")
	if port, err = strconv.Atoi(digits); err != nil {
		t.Fatalf("no address in\n%s", guide)
	}
	return p, port, guide
}

func TestDemoKeepsItsPromises(t *testing.T) {
	p, port, _ := startDemoProcess(t)
	client := newClient(t)
	seen := map[string]int{}
	for range 4 {
		_, content := get(t, client, port, "/hello")
		seen[content]++
	}
	if seen["hello from origin one\n"] != 2 || seen["hello from origin two\n"] != 2 {
		t.Errorf("/hello: %v", seen)
	}
	for path, want := range map[string]string{
		"/": "Sluice works", "/config": "# the two take turns", "/slow": "that took 2s", "/x/%2e%2e/hello": "hello from", "/mirror?a=b": "X-Forwarded-For: 127.0.0.1",
	} {
		if status, content := get(t, client, port, path); status != 200 || !strings.Contains(content, want) {
			t.Errorf("%s: %d, no %q in\n%s", path, status, want, content)
		}
	}
	if status, _ := get(t, client, port, "/none"); status != 404 {
		t.Errorf("/none: %d", status)
	}
	p.signal(os.Interrupt)
	p.ends(0)
}

func TestDemoTakesTheNextPort(t *testing.T) {
	_, first, _ := startDemoProcess(t)
	_, second, guide := startDemoProcess(t)
	if second <= first || strings.Contains(guide, fmt.Sprint(first)) {
		t.Errorf("ports %d and %d\n%s", first, second, guide)
	}
}

func TestDemoEchoesOverAWebSocket(t *testing.T) {
	_, port, _ := startDemoProcess(t)
	c, err := net.Dial("tcp", fmt.Sprintf("localhost:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The example of RFC 6455, section 1.3.
	if got := response.Header.Get("Sec-WebSocket-Accept"); response.StatusCode != 101 || got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%d, Sec-WebSocket-Accept %q", response.StatusCode, got)
	}
	// "Hello", masked and not: RFC 6455, section 5.7. Then a close.
	for _, f := range [][2]string{
		{"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x81\x05Hello"},
		{"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x8a\x05Hello"},
		{"\x88\x80\x37\xfa\x21\x3d", "\x88\x00"},
	} {
		fmt.Fprint(c, f[0])
		got := make([]byte, len(f[1]))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != f[1] {
			t.Errorf("got %q, %v; want %q", got, err, f[1])
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after the close: %v", err)
	}
}
