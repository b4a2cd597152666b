package admin

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// send makes a request with content and returns status and content.
func send(t *testing.T, c *http.Client, method, url, content string, fields ...string) (int, string) {
	t.Helper()
	status, text, _ := exchange(t, c, method, url, strings.NewReader(content), fields)
	return status, text
}

// serving starts a server with sources on a socket and returns its path.
func serving(t *testing.T, s Sources) (*Server, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	srv, err := New(Settings{Listen: path, Profiles: true}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv, path
}

func TestAConfigIsSentWithWhatIsToBeDoneWithIt(t *testing.T) {
	var got Application
	s := sources()
	s.Apply = func(a Application) Outcome { got = a; return Outcome{Generation: 3, ETag: "x-3"} }
	_, path := serving(t, s)
	f := func(a Application) {
		t.Helper()
		o, err := asks(t, path).Apply(a)
		a.Name = "new.yaml" // only the last part travels
		if err != nil || o.ETag != "x-3" || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v arrived as %+v, %v", a, got, err)
		}
	}
	f(Application{Name: "/tmp/new.yaml", Text: []byte("sites: {}"), For: time.Minute, Save: true})
	f(Application{Name: "new.yaml", Text: []byte("{}"), IfMatch: "x-2"})

	c := client(t, path)
	refused := func(query, match string, want int, text string) {
		t.Helper()
		got = Application{}
		code, content := send(t, c, "PUT", "http://s/v1/config?"+query, "x", "If-Match", match)
		if code != want || !strings.Contains(content, text) || got.Text != nil {
			t.Errorf("%s, If-Match %s: %d %s", query, match, code, content)
		}
	}
	refused("for=1ms", `"x"`, 400, "for is a time from 1s")
	refused("for=soon", `"x"`, 400, "for is a time from 1s")
	refused("save=maybe", `"x"`, 400, "save is true or false")
	refused("", `W/"x"`, 400, "one strong entity tag")
	refused("", `"x", "y"`, 400, "one strong entity tag")
	if code, content := send(t, c, "PUT", "http://s/v1/config", strings.Repeat("#", configMax+1)); code != 413 || !strings.Contains(content, "at most") {
		t.Error(code, content)
	}
}

func TestOutcomesHaveTheirStatus(t *testing.T) {
	_, path := serving(t, sources())
	c := client(t, path)
	if code, content := send(t, c, "POST", "http://s/v1/config/confirm", ""); code != 409 || !strings.Contains(content, `"error": "no config is on trial"`) {
		t.Error(code, content)
	}
	if o, err := asks(t, path).Confirm(); err != nil || o.Error != "no config is on trial" {
		t.Error(o, err)
	}
	if o, err := asks(t, path).Rollback(); err != nil || o.Generation != 9 {
		t.Error(o, err)
	}
	code, content, fields := ask(t, c, "POST", "http://s/v1/reload")
	if code != 200 || fields.Get("ETag") != `"8"` || !strings.Contains(content, `"diagnostics": []`) {
		t.Error(code, content, fields)
	}
	if code, _, fields := ask(t, c, "GET", "http://s/v1/reload"); code != 405 || fields.Get("Allow") != "POST" {
		t.Error(code, fields)
	}
}

func TestTheConfigIsShownInBothForms(t *testing.T) {
	s := sources()
	say := func(form string) func(bool) []byte {
		return func(merged bool) []byte {
			if merged {
				return []byte("merged " + form)
			}
			return []byte(form)
		}
	}
	s.Config = func() ConfigInForce { return ConfigInForce{ETag: "a-1", JSON: say("{}"), YAML: say("a: b")} }
	_, path := serving(t, s)
	c := client(t, path)
	f := func(query, accept, want, mediaType string) {
		t.Helper()
		code, content, fields := ask(t, c, "GET", "http://s/v1/config?"+query, "Accept", accept)
		if code != 200 || content != want || fields.Get("Content-Type") != mediaType || fields.Get("ETag") != `"a-1"` {
			t.Errorf("%s, Accept %s: %d %s %v", query, accept, code, content, fields)
		}
	}
	f("", "", "{}", "application/json")
	f("", "application/yaml", "a: b", "application/yaml")
	f("format=yaml&merged=true", "", "merged a: b", "application/yaml")
	f("format=json", "application/yaml", "{}", "application/json")
	if code, _, _ := ask(t, c, "GET", "http://s/v1/config?format=xml"); code != 400 {
		t.Error(code)
	}
}

func TestServersAreMovedByName(t *testing.T) {
	var pool, endpoint string
	var rotation Rotation
	s := sources()
	s.Rotate = func(p, e string, r Rotation) ([]Endpoint, error) {
		pool, endpoint, rotation = p, e, r
		if p == "none" {
			return nil, errors.New(`there is no pool "none"`)
		}
		return []Endpoint{{Pool: p, Address: e, State: "draining"}}, nil
	}
	_, path := serving(t, s)
	three, out := 3, true
	all, err := asks(t, path).Rotate("my pool", "unix:/run/app.sock", Rotation{Weight: &three})
	if err != nil || len(all) != 1 || pool != "my pool" || endpoint != "unix:/run/app.sock" || *rotation.Weight != 3 || rotation.Draining != nil {
		t.Error(pool, endpoint, rotation, all, err)
	}
	c := client(t, path)
	if code, _ := send(t, c, "POST", "http://s/v1/pools/a/endpoints/b:80/drain", ""); code != 200 || endpoint != "b:80" || *rotation.Draining != out {
		t.Error(code, endpoint, rotation)
	}
	if code, _ := send(t, c, "POST", "http://s/v1/pools/a/endpoints/b:80/undrain", ""); code != 200 || *rotation.Draining {
		t.Error(code, rotation)
	}
	for content, want := range map[string]string{
		`{}`: "nothing is to be changed", `{"weight": -1}`: "from 1 to 1000", `{"weight": 1001}`: "from 1 to 1000", `{"wait": 1}`: "unknown field", `x`: "invalid character",
		`{"weight": 3}garbage`: "something follows", `{"weight": 3} {"weight": 4}`: "something follows",
	} {
		if code, answer := send(t, c, "PUT", "http://s/v1/pools/a/endpoints/b", content); code != 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", content, code, answer)
		}
	}
	if code, answer := send(t, c, "POST", "http://s/v1/pools/none/endpoints/b/drain", ""); code != 404 || !strings.Contains(answer, "no pool") {
		t.Error(code, answer)
	}
	if code, answer, _ := ask(t, c, "GET", "http://s/v1/pools/shop"); code != 200 || !strings.Contains(answer, `"shop"`) {
		t.Error(code, answer)
	}
	if code, _, _ := ask(t, c, "GET", "http://s/v1/pools/none"); code != 404 {
		t.Error(code)
	}
}

func TestConnectionsAreTold(t *testing.T) {
	s := sources()
	s.Connections = func(most int) ([]Connection, int) { return make([]Connection, min(most, 3)), 3 }
	_, path := serving(t, s)
	c := client(t, path)
	for query, want := range map[string]int{"": 3, "?limit=2": 2, "?limit=0": 0, "?limit=-1": -1, "?limit=x": -1, "?limit=100001": -1} {
		code, content, _ := ask(t, c, "GET", "http://s/v1/connections"+query)
		var got Connections
		if err := json.Unmarshal([]byte(content), &got); err != nil || want < 0 && code != 400 || want >= 0 && (got.Total != 3 || len(got.Connections) != want || got.Connections == nil) {
			t.Errorf("%s: %d %s %v", query, code, content, err)
		}
	}
}

func TestTCPNeedsTheToken(t *testing.T) {
	srv := start(t, Settings{Listen: "127.0.0.1:0", Token: testToken})
	c := client(t, srv.Address())
	for field, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, "Bearer x": 401, "Basic " + testToken: 401, "Bearer " + testToken: 200, "bearer " + testToken: 200,
	} {
		for _, resource := range []string{"/v1/status", "/metrics"} {
			if code, _, _ := ask(t, c, "GET", "http://localhost"+resource, "Authorization", field); code != want {
				t.Errorf("%q: %s answers %d", field, resource, code)
			}
		}
	}
	if code, _, _ := ask(t, c, "GET", "http://localhost/debug/pprof/", "Authorization", "Bearer "+testToken); code != 404 {
		t.Error("profiles are served without being asked for:", code)
	}
	of, err := NewClient(ClientSettings{Address: srv.Address(), Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := of.Status(); err != nil || s.PID != 42 {
		t.Error(s, err)
	}
	if _, err := asks(t, srv.Address()).Status(); err == nil || !strings.Contains(err.Error(), "needs the token") {
		t.Error(err)
	}
}

func TestWithoutATokenLoopbackShowsWhatIsHarmless(t *testing.T) {
	srv := start(t, Settings{Listen: "127.0.0.1:0", Profiles: true})
	c := client(t, srv.Address())
	for resource, want := range map[string]int{
		"GET /v1/status": 200, "GET /metrics": 200, "GET /v1/metrics": 200, "GET /v1/config": 404, "PUT /v1/config": 404, "POST /v1/reload": 404, "GET /v1/events": 404,
		"GET /debug/pprof/": 404, "POST /v1/pools/shop/endpoints/a/drain": 404,
	} {
		method, path, _ := strings.Cut(resource, " ")
		if code, _ := send(t, c, method, "http://localhost"+path, ""); code != want {
			t.Errorf("%s: %d", resource, code)
		}
	}
}

func TestOtherAddressesNeedTLS(t *testing.T) {
	if _, err := New(Settings{Listen: "0.0.0.0:0", Token: testToken}, sources()); err == nil || !strings.Contains(err.Error(), "a certificate is needed") {
		t.Error(err)
	}
	cert, key := certificate(t)
	srv := start(t, Settings{Listen: "0.0.0.0:0", Token: testToken, CertFile: cert, KeyFile: key})
	_, port, _ := net.SplitHostPort(srv.Address())
	of := func(ca string) *Client {
		c, err := NewClient(ClientSettings{Address: "https://127.0.0.1:" + port, Token: testToken, CAFile: ca})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if s, err := of(cert).Status(); err != nil || s.PID != 42 {
		t.Error(s, err)
	}
	if _, err := of("").Status(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error("a certificate of nobody's was trusted:", err)
	}
	if _, err := NewClient(ClientSettings{Address: "https://127.0.0.1:1", CAFile: key}); err == nil {
		t.Error("a key was taken for a certificate")
	}
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	text, err := x509.CreateCertificate(rand.Reader, of, of, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	keyText, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", text), write("key.pem", "PRIVATE KEY", keyText)
}

func TestProfilesAreServedBySetting(t *testing.T) {
	_, path := serving(t, sources())
	if code, content, _ := ask(t, client(t, path), "GET", "http://s/debug/pprof/"); code != 200 || !strings.Contains(content, "goroutine") {
		t.Error(code)
	}
	if code, content, _ := ask(t, client(t, path), "GET", "http://s/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(content, "goroutine profile") {
		t.Error(code)
	}
}

// following is a Follower with lines of the test's.
type following struct {
	lines   chan []byte
	dropped uint64
	closed  chan struct{}
	ended   chan struct{}
}

func (f *following) Lines() <-chan []byte   { return f.lines }
func (f *following) Dropped() uint64        { return f.dropped }
func (f *following) Ended() <-chan struct{} { return f.ended }
func (f *following) Close()                 { close(f.closed) }

func TestEventsComeAsTheyHappen(t *testing.T) {
	f := &following{lines: make(chan []byte, 4), dropped: 5, closed: make(chan struct{})}
	s := sources()
	s.Follow = func(int) (Follower, error) { return f, nil }
	srv, path := serving(t, s)
	f.lines <- []byte(`{"site":"a","status":404,"path":"/x/1","client":"192.0.2.7"}`)
	f.lines <- []byte(`{"site":"a","status":200,"path":"/x/2","client":"192.0.2.7"}`)
	f.lines <- []byte(`{"site":"a","status":503,"path":"/x/3","client":"192.0.2.7"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []string
	done := errors.New("done")
	err := asks(t, path).Events(ctx, url.Values{"kind": {"config,status,access"}, "status": {"404,5xx"}, "path": {"/x/*"}, "site": {"a"}, "client": {"192.0.2.0/24"}},
		func(kind string, data []byte) error {
			if kind == KindStatus {
				srv.Publish(KindEndpoint, "nobody has asked for this")
				srv.Publish(KindConfig, Outcome{Generation: 4})
			}
			var of struct {
				Generation, Status, Lines int
			}
			if err := json.Unmarshal(data, &of); err != nil {
				return err
			}
			if len(got) < 12 {
				got = append(got, kind)
			}
			all := strings.Join(got, " ")
			if strings.Contains(all, KindStatus) && strings.Contains(all, KindConfig) && strings.Count(all, KindAccess) == 2 && strings.Contains(all, KindDropped) {
				return done
			}
			return nil
		})
	if err != done {
		t.Errorf("%v: %v", got, err)
	}
	<-f.closed
}

func TestAStreamEndsWithTheLogAfterItsLastLine(t *testing.T) {
	f := &following{lines: make(chan []byte, 4), closed: make(chan struct{}), ended: make(chan struct{})}
	s := sources()
	s.Follow = func(int) (Follower, error) { return f, nil }
	_, path := serving(t, s)
	for range cap(f.lines) {
		f.lines <- []byte(`{"site":"a","status":200}`)
	}
	close(f.ended)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen := 0
	err := asks(t, path).Events(ctx, url.Values{"kind": {KindAccess}}, func(string, []byte) error { seen++; return nil })
	if err != nil || ctx.Err() != nil || seen != cap(f.lines) {
		t.Errorf("%d lines, %v, %v", seen, err, ctx.Err())
	}
	<-f.closed
}

func TestAStreamEndsWithItsServer(t *testing.T) {
	srv, path := serving(t, sources())
	c := client(t, path)
	a, err := c.Get("http://s/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if line, _ := bufio.NewReader(a.Body).ReadString('\n'); line != "retry: 2000\n" {
		t.Error(line)
	}
	closed := make(chan error, 1)
	go func() { closed <- srv.Close() }()
	if _, err := io.ReadAll(a.Body); err != nil {
		t.Error("the stream is cut, not ended:", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestBadQuestionsAboutEventsAreRefused(t *testing.T) {
	s := sources()
	s.Follow = func(int) (Follower, error) { return nil, errors.New("too many follow") }
	srv, path := serving(t, s)
	c := client(t, path)
	for query, want := range map[string]int{
		"kind=x": 400, "every=1us": 400, "every=x": 400, "status=40": 400, "status=6xx": 400, "client=x": 400, "kind=access": 503,
	} {
		if code, content, _ := ask(t, c, "GET", "http://s/v1/events?"+query); code != want {
			t.Errorf("%s: %d %s", query, code, content)
		}
	}
	for range listenersMax {
		defer srv.hub.leave(srv.hub.listen())
	}
	if code, _, _ := ask(t, c, "GET", "http://s/v1/events"); code != 503 {
		t.Error(code)
	}
}

func TestASlowReaderMissesEventsAndIsTold(t *testing.T) {
	var h hub
	slow, quick := h.listen(), h.listen()
	for i := range eventQueue + 3 {
		h.publish(Event{KindConfig, i})
		<-quick.events
	}
	if n := h.missed(slow); n != 3 {
		t.Error(n)
	}
	if h.missed(slow) != 0 || h.missed(quick) != 0 {
		t.Error("told twice, or for nothing")
	}
	h.leave(slow)
	h.publish(Event{KindConfig, 0})
	if len(slow.events) != eventQueue {
		t.Error("who has left still gets events")
	}
}

func TestASieveTakesWhatHolds(t *testing.T) {
	line := []byte(`{"site":"a","status":404,"path":"/x/1","client":"192.0.2.7"}`)
	for query, want := range map[string]bool{
		"": true, "site=a": true, "site=b": false, "status=404": true, "status=4xx": true, "status=5xx,404": true, "status=5xx": false, "path=/x/1": true, "path=/x": false, "path=/x*": true,
		"path=*": true, "client=192.0.2.7": true, "client=192.0.2.8": false, "client=192.0.2.0/24": true, "client=2001:db8::/32": false, "site=a&status=200": false, "status=0": false,
	} {
		values, _ := url.ParseQuery(query)
		s, err := newSieve(values)
		if err != nil || s.takes(line) != want {
			t.Errorf("%s: %v, %v", query, s.takes(line), err)
		}
	}
	if s := (&sieve{site: "a"}); s.takes([]byte("no JSON")) {
		t.Error("what can't be read is taken")
	}
}
