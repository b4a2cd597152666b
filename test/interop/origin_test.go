//go:build interop

package interop

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// noise is n bytes, the same each time, that no compression makes smaller.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// A client of Go's own: one more opinion on what HTTP is.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

func TestFilesOfAllSizesComeThroughUnchanged(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "")
	s := proxyTo(t, n.addr)
	dir := t.TempDir()
	for _, size := range []int{0, 1, 1000, 4 << 10, 16<<10 - 300, 64 << 10, 1<<20 + 1, 50 << 20} {
		name := fmt.Sprintf("%d.bin", size)
		n.file(name, noise(size))
		got := filepath.Join(dir, name)
		curl(t, "-o", got, "-w", "%{http_code} %{size_download}", s.url+"/"+name).want(t, fmt.Sprintf("200 %d", size))
		b, err := os.ReadFile(got)
		if size == 0 && os.IsNotExist(err) {
			continue
		}
		if err != nil || string(b) != noise(size) {
			t.Errorf("%d bytes: the content has changed (%v, %d bytes)", size, err, len(b))
		}
	}
}

func TestHeadsOfAFileAreThoseOfNginx(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "")
	n.file("a.html", "hello")
	s := proxyTo(t, n.addr)
	for _, args := range [][]string{{}, {"--head"}, {"--range", "1-2"}} {
		direct, through := map[string]string{}, map[string]string{}
		for url, fields := range map[string]map[string]string{"http://" + n.addr: direct, s.url: through} {
			r := curl(t, append(args, "--dump-header", "-", "-o", "/dev/null", url+"/a.html")...)
			for _, line := range strings.Split(r.out, "\r\n") {
				name, value, _ := strings.Cut(line, ": ")
				fields[strings.ToLower(name)] = value
			}
		}
		for _, fields := range []map[string]string{direct, through} {
			for _, name := range []string{"server", "date", "connection"} {
				delete(fields, name)
			}
		}
		if fmt.Sprint(direct) != fmt.Sprint(through) {
			t.Errorf("%v:\n%v\n%v", args, direct, through)
		}
	}
}

func TestRangesAndResumedDownloads(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "")
	content := noise(300_000)
	n.file("a.bin", content)
	s := proxyTo(t, n.addr)
	curl(t, "--range", "10-19", s.url+"/a.bin").want(t, content[10:20])
	curl(t, "--range", "-7", s.url+"/a.bin").want(t, content[len(content)-7:])
	curl(t, "--range", "299990-", s.url+"/a.bin").want(t, content[299990:])
	curl(t, "--range", "0-0,5-6", "-w", "%{http_code}", s.url+"/a.bin").wantMatch(t, `(?s)^\r\n--\w+\r\n.*Content-Range: bytes 5-6/300000.*--\r\n206$`)
	curl(t, "--range", "400000-", "-o", "/dev/null", "-w", "%{http_code} %header{content-range}", s.url+"/a.bin").want(t, "416 bytes */300000")
	part := write(t, t.TempDir(), "a.bin", content[:123_456])
	curl(t, "--continue-at", "-", "-o", part, "-w", "%{http_code} %{size_download}", s.url+"/a.bin").want(t, fmt.Sprintf("206 %d", 300_000-123_456))
	if b, err := os.ReadFile(part); err != nil || string(b) != content {
		t.Errorf("a resumed download has %d bytes (%v)", len(b), err)
	}
}

func TestConditionalRequests(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "")
	n.file("a.html", "hello")
	s := proxyTo(t, n.addr)
	etag := curl(t, "--head", "-o", "/dev/null", "-w", "%header{etag}", s.url+"/a.html").out
	if len(etag) < 3 {
		t.Fatalf("ETag %q", etag)
	}
	code := []string{"-w", "%{http_code} %{size_download} %{num_connects}\n"}
	// Each twice over one connection of curl's: what follows a 304 must be in step.
	url := s.url + "/a.html"
	curl(t, append(code, "-H", "If-None-Match: "+etag, url, url)...).want(t, "304 0 1\n304 0 0\n")
	modified := curl(t, "--head", "-o", "/dev/null", "-w", "%header{last-modified}", url).out
	curl(t, append(code, "-H", "If-Modified-Since: "+modified, url, url)...).want(t, "304 0 1\n304 0 0\n")
	curl(t, append(code, "-o", "/dev/null", "-o", "/dev/null", "-H", `If-None-Match: "other"`, url, url)...).want(t, "200 5 1\n200 5 0\n")
	curl(t, "-o", "/dev/null", "-w", "%{http_code}", "-H", `If-Match: "other"`, url).want(t, "412")
	curl(t, "-w", "%{http_code}", "-H", "If-Range: "+etag, "--range", "1-2", url).want(t, "el206")
	curl(t, "-w", "%{http_code}", "-H", `If-Range: "other"`, "--range", "1-2", url).want(t, "hello200")
}

func TestGzipAndChunkedResponses(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, `
		location /gzip/ { alias html/; gzip on; gzip_min_length 1; gzip_types text/plain; }
		location /sub/ { alias html/; sub_filter a b; sub_filter_once off; sub_filter_types text/plain; }`)
	text := strings.Repeat("banana ", 50_000)
	n.file("a.txt", text)
	s := proxyTo(t, n.addr)
	r := curl(t, "--compressed", "-v", s.url+"/gzip/a.txt")
	r.want(t, text)
	if !strings.Contains(r.errors, "< Content-Encoding: gzip") || !strings.Contains(r.errors, "< Transfer-Encoding: chunked") {
		t.Errorf("not compressed, or not chunked:\n%.1000s", r.errors)
	}
	replaced := strings.ReplaceAll(text, "a", "b")
	curl(t, s.url+"/sub/a.txt").want(t, replaced)
	// HTTP/1.0 has no chunks: the end of the connection is the end of the content (RFC 9112, section 6.3).
	r = curl(t, "--http1.0", "-v", s.url+"/sub/a.txt")
	r.want(t, replaced)
	if strings.Contains(strings.ToLower(r.errors), "< transfer-encoding") {
		t.Errorf("chunks for HTTP/1.0:\n%.1000s", r.errors)
	}
	curl(t, "--head", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", s.url+"/sub/a.txt", "-o", "/dev/null", s.url+"/sub/a.txt").
		want(t, "200 1\n200 0\n")
}

func TestErrorsOfTheOriginPassUnchanged(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, `
		location ~ ^/status/(\d+)$ { return 599; }
		location = /status/204 { return 204; }
		location = /status/301 { return 301 /elsewhere; }
		location = /status/500 { return 500 "five hundred"; }
		location = /status/502 { return 502 "five hundred and two"; }
		location = /status/503 { add_header Retry-After 7 always; return 503 "five hundred and three"; }
		location = /status/504 { return 504 "five hundred and four"; }
		location = /closed { return 444; }`)
	s := proxyTo(t, n.addr)
	for path, want := range map[string]string{
		"/status/500": "five hundred500", "/status/502": "five hundred and two502", "/status/503": "five hundred and three503",
		"/status/504": "five hundred and four504", "/status/204": "204",
	} {
		curl(t, "-w", "%{http_code}", s.url+path).want(t, want)
	}
	curl(t, "-o", "/dev/null", "-w", "%{http_code} %header{retry-after}", s.url+"/status/503").want(t, "503 7")
	curl(t, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", s.url+"/status/301").want(t, "301 "+s.url+"/elsewhere")
	curl(t, "-w", "%{http_code}", s.url+"/not-there").wantMatch(t, `(?s)404 Not Found.*nginx.*404$`)
	n.file("there", "")
	curl(t, "-d", "x=1", "-w", "%{http_code}", s.url+"/there").wantMatch(t, `(?s)405 Not Allowed.*405$`)
	curl(t, "-w", "%{http_code}", s.url+"/closed").wantMatch(t, `^502 Bad Gateway\n502$`)
	n.end(syscall.SIGQUIT)
	curl(t, "-w", "%{http_code}", s.url+"/status/204").wantMatch(t, `^502 Bad Gateway\n502$`)
}

func TestConnectionsToTheOriginAreUsedAgain(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, `location / { return 200 "$connection $connection_requests "; }`)
	s := serve(t, `to: `+n.addr, "limits: { loops: 1 }")
	first := strings.Fields(curl(t, s.url).out)
	for i := range 5 {
		curl(t, s.url).want(t, fmt.Sprintf("%s %d ", first[0], i+2))
	}
	curl(t, "--head", s.url).wantMatch(t, "^HTTP/1.1 200 OK\r\n")
	curl(t, s.url).want(t, fmt.Sprintf("%s %d ", first[0], 8))
}

// load asks for url from so many clients until stop is closed, and returns how many answers were right and what went wrong.
func load(t *testing.T, url, want string, clients int, stop <-chan struct{}) (right int64, wrong []string) {
	t.Helper()
	client := newClient(t)
	var count atomic.Int64
	var mu sync.Mutex
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Get(url)
				text := ""
				if err == nil {
					var b []byte
					b, err = io.ReadAll(resp.Body)
					resp.Body.Close()
					text = string(b)
				}
				if err == nil && resp.StatusCode == 200 && text == want {
					count.Add(1)
					continue
				}
				mu.Lock()
				if err == nil {
					err = fmt.Errorf("status %d, %d bytes %.100q", resp.StatusCode, len(text), text)
				}
				wrong = append(wrong, err.Error())
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return count.Load(), wrong
}

// loadClients is how many clients underLoad has.
const loadClients = 8

// underLoad runs do while clients ask for url, and wants every answer to be right but for those that lost takes.
func underLoad(t *testing.T, url, want string, do func(), lost ...string) {
	t.Helper()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		do()
	}()
	right, wrong := load(t, url, want, loadClients, stop)
	for _, l := range lost {
		if i := slices.Index(wrong, l); i >= 0 {
			wrong = slices.Delete(wrong, i, i+1)
		}
	}
	if len(wrong) > 0 || right < 20 {
		t.Errorf("%d right, %d wrong: %.1000v", right, len(wrong), wrong)
	}
}

// answered waits until n more answers would have come: a pace for what is done under load.
func answered(t *testing.T, url string, n int) {
	client := newClient(t)
	for range n {
		if resp, err := client.Get(url); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
}

func TestNginxReloadsUnderLoad(t *testing.T) {
	n := startNginx(t, "")
	n.file("a.bin", noise(100_000))
	s := proxyTo(t, n.addr)
	underLoad(t, s.url+"/a.bin", noise(100_000), func() {
		for range 8 {
			n.reload()
			answered(t, s.url+"/a.bin", 100)
		}
	})
}

// Two nginx are ended and started anew in turn: there is always one that answers. What nginx loses is a connection that it has not accepted when it closes its
// listening socket: the kernel resets it. It is a new one, on which nothing tells whether the request was acted upon, so it is not tried elsewhere.
func TestNginxRestartsUnderLoad(t *testing.T) {
	a, b := startNginx(t, ""), startNginx(t, "")
	for _, n := range []*nginx{a, b} {
		n.file("a.bin", noise(5000))
	}
	s := proxyTo(t, a.addr, b.addr)
	underLoad(t, s.url+"/a.bin", noise(5000), func() {
		for range 3 {
			for _, n := range []*nginx{a, b} {
				n.end(syscall.SIGQUIT) // in order: requests that run are finished
				answered(t, s.url+"/a.bin", 50)
				n.process = startNginxAt(t, n.addr, n.dir, "").process
				answered(t, s.url+"/a.bin", 50)
			}
		}
	}, slices.Repeat([]string{`status 502, 16 bytes "502 Bad Gateway\n"`}, 6)...)
}

func TestNginxClosesConnectionsUnderLoad(t *testing.T) {
	for name, settings := range map[string]string{
		"after three requests": "keepalive_requests 3;", "when idle for 1 ms": "keepalive_timeout 1ms;", "always": "keepalive_timeout 0;",
	} {
		t.Run(name, func(t *testing.T) {
			n := startNginx(t, settings)
			n.file("a.bin", noise(2000))
			s := proxyTo(t, n.addr)
			underLoad(t, s.url+"/a.bin", noise(2000), func() { answered(t, s.url+"/a.bin", 500) })
		})
	}
}

func TestUploadsArriveWhole(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "dav_methods PUT; create_full_put_path on; client_body_buffer_size 16k;")
	s := proxyTo(t, n.addr)
	dir := t.TempDir()
	for _, size := range []int{0, 1, 70_000, 50 << 20} {
		content := noise(size)
		path := write(t, dir, "up.bin", content)
		for name, args := range map[string][]string{
			"length":  {"--upload-file", path},
			"chunked": {"--upload-file", path, "-H", "Transfer-Encoding: chunked"},
			"expect":  {"--upload-file", path, "-H", "Expect: 100-continue"},
			"no":      {"--upload-file", path, "-H", "Expect:"},
			"old":     {"--upload-file", path, "--http1.0"},
		} {
			if name == "chunked" && size == 0 {
				continue // curl forgets the last chunk of an empty file
			}
			target := fmt.Sprintf("/%s-%d.bin", name, size)
			r := curl(t, append(args, "-v", "-o", "/dev/null", "-w", "%{http_code}", s.url+target)...)
			r.wantMatch(t, "^20[14]$")
			if interim := strings.Contains(r.errors, "< HTTP/1.1 100 "); name == "expect" && size > 0 && !interim {
				t.Errorf("%s: no 100 (Continue)\n%.1500s", target, r.errors)
			}
			b, err := os.ReadFile(filepath.Join(n.dir, "html", target))
			if err != nil || string(b) != content {
				t.Errorf("%s: %d bytes arrived, %v", target, len(b), err)
			}
		}
	}
}

func TestChunkedUploadFromAPipe(t *testing.T) {
	need(t, "curl", "sh")
	n := startNginx(t, "dav_methods PUT;")
	s := proxyTo(t, n.addr)
	path := write(t, t.TempDir(), "up.bin", noise(3<<20))
	p := start(t, "sh", "-c", `cat "$0" | curl --disable -sS -T - -o /dev/null -w '%{http_code}' "$1"`, path, s.url+"/piped.bin")
	<-p.done
	if got := p.log.String(); p.err != nil || got != "201" {
		t.Fatalf("%v: %s", p.err, got)
	}
	if b, err := os.ReadFile(filepath.Join(n.dir, "html/piped.bin")); err != nil || string(b) != noise(3<<20) {
		t.Errorf("%d bytes arrived, %v", len(b), err)
	}
}

// The origin refuses before it has read the content: the client gets its answer, not an error of ours.
func TestAnEarlyRefusalReachesTheClient(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "dav_methods PUT; client_max_body_size 10k;")
	s := proxyTo(t, n.addr)
	path := write(t, t.TempDir(), "up.bin", noise(20<<20))
	for range 5 {
		curl(t, "-T", path, "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}", s.url+"/a.bin").wantMatch(t, "^413$")
		// With Expect the client learns it before it has sent anything.
		curl(t, "-T", path, "-H", "Expect: 100-continue", "--expect100-timeout", "30", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", s.url+"/a.bin").want(t, "413 0")
		curl(t, "-T", path, "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}", s.url+"/a.bin").wantMatch(t, "^413$")
	}
}

func TestAnUnixSocketIsAnOrigin(t *testing.T) {
	need(t, "curl")
	dir := t.TempDir()
	n := startNginx(t, "listen unix:"+dir+"/s; location / { return 200 \"$http_host $server_addr\"; }")
	s := proxyTo(t, "unix:"+dir+"/s")
	curl(t, s.url).want(t, s.addr+" unix:"+dir+"/s")
	content := noise(5 << 20)
	n.file("big.bin", content)
	n2 := startNginx(t, "listen unix:"+dir+"/s2; dav_methods PUT;")
	n2.file("big.bin", content)
	s2 := proxyTo(t, "unix:"+dir+"/s2")
	resp, err := newClient(t).Get(s2.url + "/big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := hashOf(resp.Body)
	if want, _ := hashOf(strings.NewReader(content)); err != nil || got != want {
		t.Errorf("the content has changed (%v)", err)
	}
}

func TestAnAbortedDownloadHarmsNoOther(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, `location = /open { stub_status; access_log off; }`)
	n.file("big.bin", noise(20<<20))
	n.file("small.bin", noise(1000))
	s := proxyTo(t, n.addr)
	underLoad(t, s.url+"/small.bin", noise(1000), func() {
		for range 20 {
			r := curl(t, "-o", "/dev/null", "--limit-rate", "1M", "--max-time", "0.2", s.url+"/big.bin")
			if r.exit != 28 {
				t.Errorf("exit %d", r.exit)
			}
		}
	})
}

// stuck is the address of somebody who accepts connections and reads nothing.
func stuck(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []net.Conn // guarded by mu
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range all {
			c.Close()
		}
	})
	return ln.Addr().String()
}

func TestAnOriginThatStandsStillIsGivenUp(t *testing.T) {
	need(t, "curl")
	s := serve(t, "to: "+stuck(t)+"\ntimeouts: { response: 700ms }", "limits: { send_timeout: 700ms }")
	code := []string{"--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"}
	path := write(t, t.TempDir(), "up.bin", noise(50<<20))
	curl(t, append(code, s.url)...).want(t, "504")
	curl(t, append(code, "-H", "Expect:", "-T", path, s.url)...).want(t, "504")
	curl(t, append(code, "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "-T", path, s.url)...).want(t, "504")
	s.until("logs the limits", func() bool {
		text, _ := os.ReadFile(s.access)
		return strings.Count(string(text), `"error_limit":"timeouts.response"`) == 1 && strings.Count(string(text), `"error_limit":"limits.send_timeout"`) == 2
	})
}
