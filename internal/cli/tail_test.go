package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/admin"
)

func TestALineOfTheLogForPeople(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = time.UTC
	f := func(line, want string) {
		t.Helper()
		var out strings.Builder
		if err := (&lines{w: &out}).write([]byte(line)); err != nil || out.String() != want {
			t.Errorf("%s\n got %q, %v\nwant %q", line, out.String(), err, want)
		}
	}
	f(`{"time":"2026-11-22T08:58:52.112Z","client":"192.0.2.7","method":"GET","host":"a.test","path":"/x","query":"a=1","status":200,"bytes_out":1536,"duration_ms":1.234,"pool":"shop","endpoint":"http://10.0.0.1:80"}`,
		"08:58:52 200 192.0.2.7         1.23ms    1.5KiB  GET a.test/x?a=1  http://10.0.0.1:80\n")
	f(`{"time":"2026-11-22T08:58:52Z","client":"2001:db8::1","method":"POST","host":"a.test","path":"/\u001b[31m\n","status":502,"bytes_out":0,"duration_ms":60000,"error":"connection_refused"}`,
		"08:58:52 502 2001:db8::1        60.0s        0B  POST a.test/\uFFFD[31m\uFFFD  connection_refused\n")
	f(`{"time":"2026-11-22T08:58:52Z","status":0}`, "08:58:52   0                   0.00ms        0B     -\n")
	if err := (&lines{w: &strings.Builder{}}).write([]byte("x")); err == nil {
		t.Error("no error for what is no JSON")
	}
	var out strings.Builder
	if err := (&lines{w: &out, asJSON: true}).write([]byte(`{"a":1}`)); err != nil || out.String() != "{\"a\":1}\n" {
		t.Error(out.String(), err)
	}
}

// teller returns a client of a server that answers each request for events with the next of answers.
func teller(t *testing.T, answers ...http.HandlerFunc) *admin.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		answers[asked.Add(1)-1](w, q)
	})}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	client, err := admin.NewClient(admin.ClientSettings{Address: path})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTailConnectsAgain(t *testing.T) {
	tells := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "event: access\ndata: %s\n\n", text) }
	}
	client := teller(t, tells("1"), func(w http.ResponseWriter, q *http.Request) {
		tells("2")(w, q)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // as after a write deadline
	}, tells("3"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	err := follow(ctx, client, url.Values{}, func(note string) { got = append(got, note) }, func(_ string, data []byte) error {
		if got = append(got, string(data)); string(data) == "3" {
			cancel()
		}
		return nil
	})
	want := []string{
		"1", "the process has ended the connection; connecting again",
		"2", "the connection was cut off: unexpected EOF; lines were missed; connecting again", "3",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n got %q\nwant %q", err, got, want)
	}
}

func TestTailEndsWithItsOwnErrors(t *testing.T) {
	silent := func(note string) { t.Errorf("said %q", note) }
	nobody, err := admin.NewClient(admin.ClientSettings{Address: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	if err := follow(t.Context(), nobody, url.Values{}, silent, nil); err == nil || !strings.Contains(err.Error(), "no Sluice answers") {
		t.Error(err)
	}
	full := errors.New("full")
	client := teller(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "event: access\ndata: 1\n\n") })
	if err := follow(t.Context(), client, url.Values{}, silent, func(string, []byte) error { return full }); err != full {
		t.Error(err)
	}
}
