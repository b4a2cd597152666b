package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// planted is a secret for each place: its text names the place, so that a failure tells where it leaked from.
func planted(place string) string { return "planted-" + place + "-x7" }

// shaped are secrets that only their shape tells.
var shaped = []string{
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
	"ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "AKIA" + "IOSFODNN7EXAMPLE",
	"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY9zQ",
}

// plantingOrigin answers with secrets.
func plantingOrigin(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Set-Cookie", "sid="+planted("set-cookie"))
		w.Header().Set("WWW-Authenticate", "Bearer token="+planted("www-authenticate"))
		w.Header().Set("Location", "https://u:"+planted("location")+"@a.test/?token="+planted("location"))
		if q.URL.Path == "/breaks" {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, planted("content"))
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "hello")
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// plantingRequests are requests with secrets in all their parts, also such as are refused.
func plantingRequests() (all []string) {
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + planted("authorization")))
	fields := "Authorization: Basic " + basic + "\r\nProxy-Authorization: Bearer " + planted("proxy-authorization") + "\r\nCookie: sid=" + planted("cookie") +
		"\r\nX-Api-Key: " + planted("x-api-key") + "\r\nX-Request-ID: " + shaped[0] + "\r\nUser-Agent: agent/1 " + shaped[1] + " password=" + planted("agent") +
		"\r\nReferer: https://user:" + planted("referer-user") + "@a.test/x?api_key=" + planted("referer-query") + "#id_token=" + planted("referer-fragment") +
		"\r\nForwarded: for=" + planted("forwarded") + "\r\nX-Forwarded-For: " + planted("x-forwarded-for") + "\r\n"
	targets := []string{
		"/?token=" + planted("query") + "&next=https%3A%2F%2Fu%3A" + planted("next") + "%40a.test%2F%3Fpassword%3D" + planted("next") + "&x=1",
		"/reset;jsessionid=" + planted("path-parameter") + "/" + shaped[0] + "?q=%7B%22secret%22%3A%22" + planted("json") + "%22%7D",
		"http://user:" + planted("path-user") + "@a.test/", "http://a.test//user:" + planted("path-user") + "@b.test/", "/breaks?client_secret=" + planted("broken"),
		"/dead?access_token=" + planted("dead"), "/bad\x01?token=" + planted("control"), "/ spaces?token=" + planted("spaces"), "/nowhere#token=" + planted("fragment"),
	}
	for _, token := range shaped {
		targets = append(targets, "/?x="+token)
	}
	for _, target := range targets {
		all = append(all, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n"+fields+"Connection: close\r\n\r\n")
	}
	return append(all,
		"GET /?token="+planted("version")+" HTTP/3.9\r\nHost: a.test\r\n"+fields+"\r\n",
		"GET / HTTP/1.1\r\nHost: user:"+planted("host")+"@a.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization "+planted("no-colon")+"\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: "+planted("length")+"\r\n\r\n",
		"CONNECT user:"+planted("connect")+"@a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
	)
}

// plant sends the requests, each on a connection of its own.
func plant(t *testing.T, port int) {
	t.Helper()
	for _, request := range plantingRequests() {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, request)
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
	}
}

// No secret is found in anything that Sluice writes: the access log in each format, its own log, answers of the admin server, metrics, what its commands print.
func TestPlantedSecretsAreFoundNowhere(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	socket := filepath.Join(dir, "s")
	if len(socket) > 100 {
		t.Skip("the path of the folder for tests is too long for a socket")
	}
	rewrite(t, filepath.Join(dir, "key"), planted("file")+"\n")
	t.Setenv("PLANTED", planted("environment"))
	config := func(format string) string {
		return fmt.Sprintf(`
acme: { eab: { kid: me, key: %s } }
sites:
  "http://:%d":
    to: %q
    headers:
      response: { set: { X-Answer: "${PLANTED}", Set-Cookie: "sid=%s; Path=/" } }
      request: { set: { Authorization: "Bearer ${PLANTED}", X-Key: "${file:%s/key}", X-Api-Key: %s, X-Auth: "%s${PLANTED}" } }
    routes:
      - { match: /moved, redirect: "https://user:%s@a.test/?token=%s" }
      - { match: /dead, to: "127.0.0.1:1" }
listeners: { %d: { addresses: 127.0.0.1 } }
admin: { listen: "unix:%s" }
log: { level: debug, access: { file: %s/%s.log, format: %s, addresses: hashed, hash_key: %s } }
`, planted("eab"), port, plantingOrigin(t), planted("literal-cookie"), dir, planted("literal-key"), planted("literal-part"), planted("literal-password"), planted("literal-parameter"), port, socket, dir, format, format, planted("hash-key"))
	}
	file := write(t, config("json"))
	p := start(t, sluice(t, "run", "--config", file))
	p.await("msg=started")
	outputs := map[string]string{}
	run := func(args ...string) {
		stdout, stderr, _ := outcome(t, sluice(t, args...))
		outputs[strings.Join(args, " ")] = stdout + stderr
	}
	for _, format := range []string{"json", "common", "combined"} {
		rewrite(t, file, config(format))
		p.signal(syscall.SIGHUP)
		p.await("msg=reloaded")
		plant(t, port)
	}
	run("status", "--admin", socket)
	run("status", "--admin", socket, "--json")
	run("config", "--config", file)
	run("explain", "--config", file, "GET", fmt.Sprintf("http://127.0.0.1:%d/", port))
	for _, path := range []string{"/v1/status", "/metrics", "/v1/" + planted("admin") + "?token=x", "/"} {
		outputs[path] = strings.ReplaceAll(askAdmin(t, socket, path), planted("admin"), "")
	}
	// Secrets that stand in the file itself, in lines that have a fault.
	rewrite(t, file, strings.NewReplacer("kid: me", "kid: me, kind: x", "hash_key:", "rotate: {}, syslog: { address: \"tcp://u:"+planted("syslog")+"@a:1\" }, hash_key:",
		`X-Answer: "${PLANTED}"`, `"X Answer": "${PLANTED}"`).Replace(config("json")))
	run("check", file)
	run("check", "--json", file)
	run("reload", "--admin", socket)
	p.await(`msg="the new config is refused`)
	p.signal(syscall.SIGTERM)
	p.ends(0)
	outputs["standard output"], outputs["standard error"] = p.stdout.String(), strings.Join(p.seen, "\n")
	for _, format := range []string{"json", "common", "combined"} {
		name := format + ".log"
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if outputs[name] = string(text); strings.Count(outputs[name], "\n") != len(plantingRequests()) {
			t.Errorf("%s has %d lines, want one for each of %d requests", name, strings.Count(outputs[name], "\n"), len(plantingRequests()))
		}
	}
	wantNoSecret(t, outputs)
}

// wantNoSecret checks what was written, by where it was written to.
func wantNoSecret(t *testing.T, outputs map[string]string) {
	t.Helper()
	secrets := append([]string{"planted-", base64.StdEncoding.EncodeToString([]byte("user:planted"))[:12]}, shaped...)
	for name, text := range outputs {
		if len(text) == 0 && name != "standard output" {
			t.Errorf("%s: nothing was written, which proves nothing", name)
		}
		for line := range strings.Lines(text) {
			for _, secret := range secrets {
				if strings.Contains(line, secret) {
					t.Errorf("%s: %q is in %s", name, secret, line)
				}
			}
		}
	}
}

// askAdmin asks the admin server at a socket.
func askAdmin(t *testing.T, socket, path string) string {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://sluice" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.Header) + string(content)
}

func TestLogFilesAreOpenedAgainAtASignal(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	address, _, _ := origin(t, "hello")
	text := strings.Replace(siteConfig(port, address, ""), "access: off", "file: "+dir+"/process.log, access: { file: "+dir+"/access.log }", 1)
	p := start(t, sluice(t, "run", "--config", write(t, text)))
	holds := func(name, text string) bool {
		content, _ := os.ReadFile(filepath.Join(dir, name))
		return strings.Contains(string(content), text)
	}
	eventually(t, "it has started", func() bool { return holds("process.log", "msg=started") })
	for _, name := range []string{"process.log", "access.log"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".1")); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(syscall.SIGUSR1)
	eventually(t, "the files are there again", func() bool {
		_, one := os.Stat(filepath.Join(dir, "process.log"))
		_, other := os.Stat(filepath.Join(dir, "access.log"))
		return one == nil && other == nil
	})
	get(t, newClient(t), port, "/")
	p.signal(syscall.SIGTERM)
	p.ends(0)
	if !holds("access.log", `"status":200`) || !holds("process.log", "msg=stopped") || holds("process.log", "msg=started") || !holds("process.log.1", "msg=started") {
		t.Error("what was logged after the signal is not in the new files")
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
