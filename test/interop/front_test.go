//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// told is a location that answers with what the origin is told about the client.
const told = `location / { return 200 "xff=$http_x_forwarded_for proto=$http_x_forwarded_proto host=$http_x_forwarded_host real=$http_x_real_ip forwarded=$http_forwarded\n"; }`

// frontNginx starts an nginx in front of s, as its manual shows it. nginx calls a client by the address that curl is told to use.
func frontNginx(t *testing.T, s *sluice, more string) *nginx {
	t.Helper()
	return startNginx(t, `location / {
		proxy_pass http://sluice;
		proxy_set_header Host shop.example.com;
		proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
		proxy_set_header X-Forwarded-Proto https;
		`+more+`
	}`, `upstream sluice { server `+s.addr+`; keepalive 8; }`)
}

func TestNginxInFrontIsBelievedOnlyIfTrusted(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, told)
	for _, f := range []struct{ trusted, want, origin string }{
		{"trusted_proxies: [127.0.0.1]", "xff=.*127.0.0.2, 127.0.0.1 proto=https host=shop.example.com real=127.0.0.2 ", "inside"},
		{"", "xff=127.0.0.1 proto=http host=shop.example.com real=127.0.0.1 ", "outside"},
	} {
		s := serve(t, `
to: `+n.addr+`
routes:
  - match: { path: /who, client_ip: 127.0.0.2 }
    respond: { status: 200, body: inside }
  - match: { path: /who }
    respond: { status: 200, body: outside }`, f.trusted)
		front := "http://" + frontNginx(t, s, "").addr
		// The client is 127.0.0.2 for nginx, and lies about itself.
		curl(t, "--interface", "127.0.0.2", "-H", "X-Forwarded-For: 6.6.6.6", front+"/").wantMatch(t, "^"+f.want)
		curl(t, "--interface", "127.0.0.2", "-H", "X-Forwarded-For: 127.0.0.3", front+"/who").want(t, f.origin)
	}
}

func TestNginxInFrontCarriesEverything(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "dav_methods PUT; location /sub/ { alias html/; sub_filter a b; sub_filter_once off; sub_filter_types text/plain; }")
	text := strings.Repeat("banana ", 200_000)
	n.file("a.txt", text)
	s := proxyTo(t, n.addr)
	path := write(t, t.TempDir(), "up.bin", noise(20<<20))
	for version, more := range map[string]string{
		"1.0":                 "proxy_http_version 1.0;",
		"1.1":                 `proxy_http_version 1.1; proxy_set_header Connection "";`,
		"1.1 without buffers": `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering off;`,
	} {
		t.Run(version, func(t *testing.T) {
			front := "http://" + frontNginx(t, s, more).addr
			for range 5 {
				curl(t, front+"/a.txt").want(t, text)
				curl(t, front+"/sub/a.txt").want(t, strings.ReplaceAll(text, "a", "b"))
				curl(t, "--head", "-o", "/dev/null", "-w", "%{http_code} %header{content-length}", front+"/a.txt").want(t, fmt.Sprintf("200 %d", len(text)))
				curl(t, "-H", `If-None-Match: "x"`, "--range", "0-3", front+"/a.txt").want(t, "bana")
			}
			for _, args := range [][]string{{}, {"-H", "Transfer-Encoding: chunked"}} {
				curl(t, append(args, "-T", path, "-o", "/dev/null", "-w", "%{http_code}", front+"/up.bin")...).wantMatch(t, "^20[14]$")
				if b, err := os.ReadFile(filepath.Join(n.dir, "html/up.bin")); err != nil || string(b) != noise(20<<20) {
					t.Errorf("%d bytes arrived, %v", len(b), err)
				}
			}
		})
	}
}

func TestNginxInFrontUsesItsConnectionsAgain(t *testing.T) {
	n := startNginx(t, "")
	n.file("a.bin", noise(3000))
	s := proxyTo(t, n.addr)
	front := "http://" + frontNginx(t, s, `proxy_http_version 1.1; proxy_set_header Connection "";`).addr
	underLoad(t, front+"/a.bin", noise(3000), func() {
		for range 3 {
			n.reload()
			answered(t, front+"/a.bin", 200)
		}
	})
}

// startHAProxy starts HAProxy with what its manual shows as a first config, listening on a free port, in front of a server.
func startHAProxy(t *testing.T, server, more string) string {
	t.Helper()
	need(t, "haproxy")
	addr := freeAddr(t)
	conf := write(t, t.TempDir(), "haproxy.cfg", fmt.Sprintf(`
global
	log stderr format raw daemon err
defaults
	mode http
	log global
	timeout connect 5s
	timeout client 30s
	timeout server 30s
listen all
	bind %s
	%s
	%s
`, addr, more, server))
	p := start(t, "haproxy", "-db", "-f", conf)
	p.listens("tcp", addr)
	return addr
}

func TestHAProxyIsAnOrigin(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, "dav_methods PUT;")
	n.file("a.bin", noise(5<<20))
	addr := startHAProxy(t, "server n "+n.addr, `
	http-request return status 200 content-type text/plain lf-string "%HM %HU %HV %[src] %[req.hdr(x-forwarded-for)] %[req.hdr(via)]" if { path /echo }
	http-request deny deny_status 403 if { path /denied }
	http-request redirect location http://%[req.hdr(host)]/there if { path /here }
	compression algo gzip
	compression type text/plain`)
	s := proxyTo(t, addr)
	curl(t, s.url+"/echo?x=1").want(t, "GET /echo?x=1 HTTP/1.1 127.0.0.1 127.0.0.1 1.1 sluice")
	curl(t, "-o", "/dev/null", "-w", "%{http_code}", s.url+"/denied").want(t, "403")
	curl(t, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", s.url+"/here").want(t, "302 "+s.url+"/there")
	n.file("t.txt", strings.Repeat("text ", 100_000))
	curl(t, "--compressed", s.url+"/t.txt").want(t, strings.Repeat("text ", 100_000))
	path := write(t, t.TempDir(), "up.bin", noise(20<<20))
	for _, args := range [][]string{{}, {"-H", "Transfer-Encoding: chunked"}, {"-H", "Expect: 100-continue"}} {
		curl(t, append(args, "-T", path, "-o", "/dev/null", "-w", "%{http_code}", s.url+"/up.bin")...).wantMatch(t, "^20[14]$")
		if b, err := os.ReadFile(filepath.Join(n.dir, "html/up.bin")); err != nil || string(b) != noise(20<<20) {
			t.Errorf("%d bytes arrived, %v", len(b), err)
		}
	}
	underLoad(t, s.url+"/a.bin", noise(5<<20), func() { answered(t, s.url+"/a.bin", 20) })
}

func TestHAProxyInFront(t *testing.T) {
	need(t, "curl")
	n := startNginx(t, told+" location /f/ { alias html/; }")
	n.file("a.bin", noise(100_000))
	s := serve(t, "to: "+n.addr, "trusted_proxies: [127.0.0.1]")
	front := "http://" + startHAProxy(t, "server s "+s.addr+" check inter 100ms", "option forwardfor\n\toption httpchk GET /\n\thttp-reuse always")
	curl(t, "--interface", "127.0.0.2", front).wantMatch(t, "^xff=127.0.0.2, 127.0.0.1 proto=http ")
	underLoad(t, front+"/f/a.bin", noise(100_000), func() { answered(t, front+"/f/a.bin", 300) })
}

// Python's server speaks HTTP/1.0: the end of the connection is the end of the content.
func TestPythonIsAnOrigin(t *testing.T) {
	need(t, "curl", "python3")
	dir, addr := t.TempDir(), freeAddr(t)
	write(t, dir, "a.bin", string(noise(2<<20)))
	p := start(t, "python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", dir, portOf(addr))
	p.listens("tcp", addr)
	s := proxyTo(t, addr)
	got := filepath.Join(t.TempDir(), "a.bin")
	for range 5 {
		curl(t, "-o", got, "-w", "%{http_code} %{http_version}", s.url+"/a.bin").want(t, "200 1.1")
		if b, err := os.ReadFile(got); err != nil || string(b) != noise(2<<20) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	curl(t, s.url+"/").wantMatch(t, "a.bin")
	curl(t, "--head", "-o", "/dev/null", "-w", "%{http_code}", s.url+"/not-there").want(t, "404")
	// It refuses POST without reading the content.
	curl(t, "--data-binary", "@"+got, "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}", s.url+"/").wantMatch(t, "^501$")
}
