//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startTestOrigin serves on a free port until the test ends.
func startTestOrigin(t *testing.T) string {
	t.Helper()
	var ports portSearch
	port, err := ports.free()
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOrigin(local(port))
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if err := o.poller.turn(10*time.Millisecond, nil); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		for fd, h := range o.poller.handlers {
			if h != nil {
				_ = syscall.Close(fd)
			}
		}
		_ = syscall.Close(o.poller.epoll)
	})
	return local(port)
}

func dialTest(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// readContent reads a response and returns its content.
func readContent(t *testing.T, r *bufio.Reader, status int) []byte {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("status %s, %v", response.Status, err)
	}
	return content
}

func TestOriginAnswersWithSoManyBytes(t *testing.T) {
	conn, r := dialTest(t, startTestOrigin(t))
	for _, size := range []int{0, 1, 1024, 10 << 20} { // the last one does not fit into a socket
		fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", size)
		if got := readContent(t, r, http.StatusOK); !bytes.Equal(got, contentOf(size)) {
			t.Errorf("%d bytes differ from the %d that were asked for", len(got), size)
		}
	}
	fmt.Fprint(conn, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
	readContent(t, r, http.StatusNotFound)
}

func TestOriginTakesRequestsInPiecesAndInPipelines(t *testing.T) {
	conn, r := dialTest(t, startTestOrigin(t))
	for _, b := range []byte("GET /7 HTTP/1.1\r\nHost: a\r\n\r\n") {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if got := readContent(t, r, http.StatusOK); len(got) != 7 {
		t.Errorf("got %d bytes", len(got))
	}
	fmt.Fprint(conn, strings.Repeat("GET /5 HTTP/1.1\r\nHost: a\r\n\r\nGET /6 HTTP/1.1\r\nHost: a\r\n\r\n", 3))
	for range 3 {
		for _, want := range []int{5, 6} {
			if got := readContent(t, r, http.StatusOK); !bytes.Equal(got, contentOf(want)) {
				t.Errorf("got %d bytes, want %d", len(got), want)
			}
		}
	}
}

func TestOriginReadsUploadsToTheirEnd(t *testing.T) {
	conn, r := dialTest(t, startTestOrigin(t))
	for range 3 {
		fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: a\r\ncontent-length: %d\r\n\r\n%s", 1<<20, strings.Repeat("x", 1<<20))
		if got := readContent(t, r, http.StatusOK); len(got) != 2 {
			t.Errorf("got %d bytes", len(got))
		}
	}
}

func TestLoadAndOriginEchoMessages(t *testing.T) {
	l, err := driveEchoes(startTestOrigin(t), "/echo", 5, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if l.Requests < 5 || l.Faults != 0 || l.P50 <= 0 || l.P99 < l.P50 {
		t.Errorf("load = %+v", l)
	}
}

func TestLoadReportsARefusedUpgrade(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			defer conn.Close()
		}
	}()
	_, err = driveEchoes(listener.Addr().String(), "/echo", 2, startTimeout)
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("error = %v", err)
	}
}

func TestFramesAreParsedFromTheirFirstBytesOn(t *testing.T) {
	frame := maskedFrame([]byte("hello"))
	for n := range frame {
		if _, size, err := parseFrame(frame[:n]); err != nil || size != 0 {
			t.Errorf("of %d bytes: size %d, %v", n, size, err)
		}
	}
	payload, size, err := parseFrame(append(frame, 'x'))
	if err != nil || size != len(frame) || len(payload) != 5 {
		t.Errorf("payload %q, size %d, %v", payload, size, err)
	}
	for _, bad := range [][]byte{{0x82, 5}, {0x82, 0x80 | 126}, {0x82, 0x80 | 127}} {
		if _, _, err := parseFrame(bad); err == nil {
			t.Errorf("frame % x is accepted", bad)
		}
	}
}

func TestPortsAreHandedOutOnce(t *testing.T) {
	var ports portSearch
	first, err := ports.free()
	second, err2 := ports.free()
	if err != nil || err2 != nil || first == second || first < portMin || second >= portMax {
		t.Errorf("ports %d, %d; %v, %v", first, second, err, err2)
	}
}
