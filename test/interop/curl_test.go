//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// echo is a location that answers with what nginx got.
const echo = `location / { return 200 "$request_method $request_uri $server_protocol host=$http_host len=$http_content_length te=$http_transfer_encoding conn=$http_connection\n"; }`

func TestCurlSpeaksBothVersions(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, echo)
	s := proxyTo(t, n.addr)
	// What the origin gets does not depend on the client's version.
	want := "GET /a?b=c HTTP/1.1 host=" + s.addr + " len= te= conn=\n"
	curl(t, "--http1.1", s.url+"/a?b=c").want(t, want)
	curl(t, "--http1.0", s.url+"/a?b=c").want(t, want)
	curl(t, "--http1.0", "-H", "Connection: keep-alive", "-w", "%{num_connects}\n", s.url+"/a?b=c", s.url+"/a?b=c").want(t, want+"1\n"+want+"0\n")
	curl(t, "-H", "Connection: close", "-w", "%{num_connects}\n", s.url+"/a?b=c", s.url+"/a?b=c").want(t, want+"1\n"+want+"1\n")
	// Without Host, as simple health checks are: the origin gets its own name, since nginx refuses HTTP/1.1 without one.
	curl(t, "--http1.0", "-H", "Host:", s.url+"/").want(t, "GET / HTTP/1.1 host="+n.addr+" len= te= conn=\n")
}

func TestCurlUsesOneConnectionForManyRequests(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, echo)
	n.file("x", "")
	s := proxyTo(t, n.addr)
	args := []string{"-w", "%{http_code} %{num_connects}\n"}
	want := ""
	for i := range 50 {
		args = append(args, "-o", "/dev/null", fmt.Sprintf("%s/%d", s.url, i))
		want += fmt.Sprintf("200 %d\n", max(0, 1-i))
	}
	curl(t, args...).want(t, want)
	// Methods mixed: each leaves the connection in step.
	curl(t, "-w", "%{num_connects}", "-o", "/dev/null", s.url+"/1", "--next", "-s", "--head", "-w", "%{num_connects}", "-o", "/dev/null", s.url+"/2",
		"--next", "-s", "-d", "x=1", "-w", "%{num_connects}", "-o", "/dev/null", s.url+"/3", "--next", "-s", "-X", "DELETE", "-w", "%{num_connects}", "-o", "/dev/null", s.url+"/4",
	).want(t, "1000")
}

func TestRequestTargetsOfAllForms(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, echo)
	s := proxyTo(t, n.addr)
	host := " HTTP/1.1 host=" + s.addr + " len= te= conn=\n"
	curl(t, "-X", "OPTIONS", "--request-target", "*", "-o", "/dev/null", "-w", "%{http_code}", s.url).wantMatch(t, "^(200|400|404|405)$") // nginx refuses it in some versions
	curl(t, "--request-target", s.url+"/abs?x", s.url).want(t, "GET /abs?x"+host)
	curl(t, "--request-target", "http://other.example/abs", s.url).want(t, "GET /abs HTTP/1.1 host=other.example len= te= conn=\n")
	curl(t, "--path-as-is", s.url+"/a/./b/../c/%7euser/%2e%2e/d%2Fe//f").want(t, "GET /a/c/d%2Fe//f"+host)
	curl(t, "--path-as-is", "-w", "%{http_code}", s.url+"/../../etc/passwd").wantMatch(t, `^(GET /etc/passwd HTTP/1.1 .*\n200|400 .*\n400)$`)
	curl(t, "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", s.url+"/a%00b").want(t, "400")
	curl(t, "-g", s.url+"/q?a=[1]&b={x}|y").wantMatch(t, `^(GET /q\?a=\[1\]&b=\{x\}\|y HTTP/1.1|400 )`)
	curl(t, "-X", "TRACE", "-o", "/dev/null", "-w", "%{http_code}", s.url).want(t, "405")
	curl(t, "-X", "CONNECT", "--request-target", "a.example:80", "-o", "/dev/null", "-w", "%{http_code}", s.url).wantMatch(t, "^4(00|05)$")
	curl(t, "-X", "PURGE", s.url+"/").want(t, "PURGE /"+host)
}

func TestManyParallelDownloads(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "")
	n.file("a.bin", noise(40_000))
	s := proxyTo(t, n.addr)
	dir := t.TempDir()
	var args []string
	for i := range 300 {
		args = append(args, "-o", filepath.Join(dir, fmt.Sprint(i)), s.url+"/a.bin")
	}
	r := curl(t, append(args, "--parallel", "--parallel-immediate", "--parallel-max", "64", "--fail")...)
	if r.exit != 0 {
		t.Fatalf("exit %d\n%s", r.exit, r.errors)
	}
	for i := range 300 {
		if b, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i))); err != nil || string(b) != noise(40_000) {
			t.Errorf("%d: %d bytes, %v", i, len(b), err)
		}
	}
}

func TestSlowClientsGetTheWholeContent(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "dav_methods PUT;")
	n.file("a.bin", noise(3<<20))
	s := proxyTo(t, n.addr)
	got := filepath.Join(t.TempDir(), "a.bin")
	curl(t, "--limit-rate", "2M", "-o", got, "-w", "%{http_code}", s.url+"/a.bin").want(t, "200")
	if b, err := os.ReadFile(got); err != nil || string(b) != noise(3<<20) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	curl(t, "--limit-rate", "2M", "-T", got, "-o", "/dev/null", "-w", "%{http_code}", s.url+"/b.bin").want(t, "201")
	if b, err := os.ReadFile(filepath.Join(n.dir, "html/b.bin")); err != nil || string(b) != noise(3<<20) {
		t.Errorf("%d bytes arrived, %v", len(b), err)
	}
}

func TestFormsAndFieldsOfCurl(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, `location / { client_body_buffer_size 1m; client_body_in_single_buffer on; proxy_pass http://127.0.0.1:$server_port/echo; }
		location = /echo { return 200 "$request_method $content_type $content_length [$http_x_a] [$http_cookie] [$http_authorization] [$http_range] via=$http_via xff=$http_x_forwarded_for proto=$http_x_forwarded_proto ua=$http_user_agent"; }`)
	s := proxyTo(t, n.addr)
	curl(t, "--data", "a=1&b=2", "-H", "X-A: \tvalue with  spaces\t", "--cookie", "a=b; c=d", "--user", "u:p", "-A", "agent", s.url+"/").
		want(t, "POST application/x-www-form-urlencoded 7 [value with  spaces] [a=b; c=d] [Basic dTpw] [] via=1.1 sluice xff=127.0.0.1 proto=http ua=agent")
	curl(t, "-F", "a=1", "-F", "f=<"+write(t, t.TempDir(), "f", strings.Repeat("x", 5000)), s.url+"/").wantMatch(t, `^POST multipart/form-data; boundary=-+\w+ 5\d\d\d `)
	curl(t, "-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Proto: https", "-H", "Forwarded: for=6.6.6.6", "-H", "X-Real-IP: 6.6.6.6", s.url+"/").
		wantMatch(t, ` xff=127.0.0.1 proto=http `)
}

func TestLimitsAreToldToCurl(t *testing.T) {
	need(t, "curl")
	// The origin reads content before it answers: one that answers at once may be faster than chunks that break the limit.
	n := startNginx(t, `location / { proxy_pass http://127.0.0.1:$server_port/echo; } location /echo { return 200 ""; }`,
		"large_client_header_buffers 8 64k; proxy_buffer_size 64k; proxy_buffers 8 64k;")
	s := serve(t, "to: "+n.addr+"\nlimits: { request_body: 1000 }")
	code := []string{"-o", "/dev/null", "-w", "%{http_code}"}
	field := func(size int) string { return "X-A: " + strings.Repeat("x", size) }
	curl(t, append(code, "-H", field(16<<10), s.url)...).want(t, "200")
	curl(t, append(code, "-H", field(16<<10+1), s.url)...).want(t, "431")
	curl(t, append(code, s.url+"/"+strings.Repeat("x", 17<<10))...).want(t, "414")
	var many []string
	for i := range 130 {
		many = append(many, "-H", fmt.Sprintf("X-%d: 1", i))
	}
	curl(t, append(append(many, code...), s.url)...).want(t, "431")
	big := write(t, t.TempDir(), "big", noise(5<<20))
	for _, args := range [][]string{{"-H", "Expect:"}, {"-H", "Expect: 100-continue"}, {"-H", "Expect:", "-H", "Transfer-Encoding: chunked"}} {
		curl(t, append(append(args, code...), "-T", big, s.url)...).want(t, "413")
	}
	text, err := os.ReadFile(s.access)
	s.until("writes its log", func() bool {
		text, err = os.ReadFile(s.access)
		return strings.Count(string(text), `"error_limit"`) >= 6
	})
	for _, key := range []string{"field", "target", "fields", "request_body"} {
		if err != nil || !regexp.MustCompile(`"error_limit":"limits.`+key+`"`).Match(text) {
			t.Errorf("the access log does not name limits.%s: %s", key, text)
		}
	}
}
