package metric

import (
	"bytes"
	"math"
	"testing"
	"time"
)

func TestNegotiatesTheFormat(t *testing.T) {
	f := func(accept string, want Format) {
		t.Helper()
		if got := Negotiate(accept); got != want {
			t.Errorf("%q gets %s", accept, got.ContentType())
		}
	}
	// What Prometheus 2 and 3 send.
	f("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OpenMetrics)
	f("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"+
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OpenMetrics)
	f("text/plain;version=0.0.4;q=1,*/*;q=0.1", Text)

	f("", Text)
	f("*/*", Text)
	f("text/html, */*;q=0.1", Text)
	f("application/openmetrics-text", OpenMetrics)
	f(`Application/OpenMetrics-Text; Version="1.0.0"`, OpenMetrics)
	f("application/openmetrics-text, */*", OpenMetrics)
	f("application/*", OpenMetrics)
	f("text/plain, application/openmetrics-text", Text)
	f("text/plain;q=0.9, application/openmetrics-text", OpenMetrics)
	f("text/plain, application/openmetrics-text;q=0.9", Text)
	f("text/*;q=0.9, application/openmetrics-text;q=0.5", Text)

	// Other versions, refusals, nonsense.
	f("application/openmetrics-text;version=0.0.1", Text)
	f("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", Text)
	f("application/openmetrics-text;q=0", Text)
	f("application/openmetrics-text, application/openmetrics-text;version=1.0.0;q=0", Text)
	f("text/plain;q=0, application/openmetrics-text;q=0", Text)
	f("application/json", Text)
	for _, q := range []string{"2", "-1", "NaN", "x", ""} {
		f("application/openmetrics-text;q="+q, Text)
	}
	f(",;,/, application/openmetrics-text", OpenMetrics)
}

func TestNamesTheContentType(t *testing.T) {
	if got := Text.ContentType(); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Error(got)
	}
	if got := OpenMetrics.ContentType(); got != "application/openmetrics-text; version=1.0.0; charset=utf-8" {
		t.Error(got)
	}
}

func TestWritesOpenMetrics(t *testing.T) {
	s := NewSet(1)
	s.Counter("b_bytes_total", `Of "b",`+"\nwith \\.", Label{"site", "a\"\\\n\xff"}).Add(0, 1<<40)
	s.Info("build_info", "Which build.", Label{"version", "1"})
	s.Gauge("c_seconds", "C.").Set(7)
	s.GaugeFunc("d", "Not known.", func() float64 { return math.NaN() })
	s.Histogram("e_seconds", "E.").Observe(0, 2*time.Second)
	var b bytes.Buffer
	if err := s.Write(&b, OpenMetrics); err != nil {
		t.Fatal(err)
	}
	begin := `# HELP b_bytes Of \"b\",\nwith \\.
# TYPE b_bytes counter
# UNIT b_bytes bytes
b_bytes_total{site="a\"\\\n` + "\uFFFD" + `"} 1099511627776
# HELP build Which build.
# TYPE build info
build_info{version="1"} 1
# HELP c_seconds C.
# TYPE c_seconds gauge
# UNIT c_seconds seconds
c_seconds 7
# HELP d Not known.
# TYPE d gauge
# HELP e_seconds E.
# TYPE e_seconds histogram
# UNIT e_seconds seconds
e_seconds_bucket{le="1e-05"} 0
`
	end := `e_seconds_bucket{le="1.0"} 0
e_seconds_bucket{le="2.0"} 1
e_seconds_bucket{le="5.0"} 1
e_seconds_bucket{le="10.0"} 1
e_seconds_bucket{le="20.0"} 1
e_seconds_bucket{le="50.0"} 1
e_seconds_bucket{le="100.0"} 1
e_seconds_bucket{le="+Inf"} 1
e_seconds_sum 2
e_seconds_count 1
# EOF
`
	if got := b.String(); !bytes.HasPrefix(b.Bytes(), []byte(begin)) || !bytes.HasSuffix(b.Bytes(), []byte(end)) {
		t.Errorf("got\n%s\nwant\n%s…%s", got, begin, end)
	}
}

func TestInfoIsAGaugeInText(t *testing.T) {
	s := NewSet(1)
	s.Info("build_info", "Which build.", Label{"version", "1"})
	s.Info("build_info", "Which build.", Label{"version", "1"})
	want := "# HELP build_info Which build.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n"
	if got := text(t, s); got != want {
		t.Error(got)
	}
}

func TestListsItsFamilies(t *testing.T) {
	s := NewSet(1)
	s.Gauge("b", "B.")
	s.Counter("a_total", "A.", Label{"site", "x"}, Label{"class", "2xx"})
	s.Counter("a_total", "A.", Label{"site", "y"}, Label{"class", "2xx"})
	all := s.Families()
	if len(all) != 2 || all[0].Name != "a_total" || all[0].Kind != "counter" || all[0].Series != 2 || all[0].Help != "A." || all[1].Name != "b" {
		t.Errorf("%+v", all)
	}
	if l := all[0].Labels; len(l) != 2 || l[0] != "site" || l[1] != "class" {
		t.Errorf("labels %q", l)
	}
}
