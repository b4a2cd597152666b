package cli

import (
	"strings"
	"testing"
	"time"
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
