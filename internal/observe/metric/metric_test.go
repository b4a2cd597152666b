package metric

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func text(t *testing.T, s *Set) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWritesTextSortedAndEscaped(t *testing.T) {
	s := NewSet(2)
	s.Counter("b_total", "Of b,\nwith \\.", Label{"site", "z"}).Add(0, 3)
	s.Counter("b_total", "", Label{"site", "a\"\\\n\xff"}).Add(1, 1<<40)
	g := s.Gauge("a", "A gauge.")
	g.Add(0, 5)
	g.Add(1, -7)
	s.GaugeFunc("c", "Asked.", func() float64 { return 0.25 })
	want := `# HELP a A gauge.
# TYPE a gauge
a -2
# HELP b_total Of b,\nwith \\.
# TYPE b_total counter
b_total{site="a\"\\\n` + "\uFFFD" + `"} 1099511627776
b_total{site="z"} 3
# HELP c Asked.
# TYPE c gauge
c 0.25
`
	if got := text(t, s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWritesNumbersThatAreNone(t *testing.T) {
	for v, want := range map[float64]string{math.Inf(1): "+Inf", math.Inf(-1): "-Inf", 1 << 60: "1.152921504606847e+18", -0.5: "-0.5"} {
		if got := string(appendSample(nil, "x", "", v)); got != "x "+want+"\n" {
			t.Errorf("%v is written as %q", v, got)
		}
	}
	if got := string(appendSample(nil, "x", "", math.NaN())); got != "x NaN\n" {
		t.Errorf("NaN is written as %q", got)
	}
}

func TestFindsASeriesAgainAfterAReload(t *testing.T) {
	s := NewSet(1)
	first := s.Counter("n_total", "N.", Label{"site", "a"}, Label{"class", "2xx"})
	first.Add(0, 4)
	if again := s.Counter("n_total", "N.", Label{"site", "a"}, Label{"class", "2xx"}); again != first {
		t.Error("a second look-up made a second series")
	}
	if other := s.Counter("n_total", "N.", Label{"site", "a"}, Label{"class", "5xx"}); other == first || other.Value() != 0 {
		t.Error("two label values share a series")
	}
}

func TestLatestFunctionIsAsked(t *testing.T) {
	s := NewSet(1)
	s.GaugeFunc("generation", "G.", func() float64 { return 1 })
	s.GaugeFunc("generation", "G.", func() float64 { return 2 })
	if got := text(t, s); !strings.Contains(got, "\ngeneration 2\n") {
		t.Error(got)
	}
}

func TestRetainDropsSeriesOfRemovedSites(t *testing.T) {
	s := NewSet(1)
	for _, site := range []string{"a", "b"} {
		s.Counter("n_total", "N.", Label{"site", site}).Add(0, 1)
	}
	s.Counter("all_total", "No site.").Add(0, 1)
	old := s.Counter("n_total", "N.", Label{"site", "b"})
	s.Retain(func(_ string, l Labels) bool {
		site, ok := l.Get("site")
		return !ok || site == "a"
	})
	old.Add(0, 1) // a running exchange still holds it
	got := text(t, s)
	if strings.Contains(got, `"b"`) || !strings.Contains(got, `n_total{site="a"} 1`) || !strings.Contains(got, "all_total 1") {
		t.Error(got)
	}
	if s.Counter("n_total", "N.", Label{"site", "b"}).Value() != 0 {
		t.Error("a site that came back kept its old number")
	}
}

func TestSeriesBeyondTheLimitAreCountedTogether(t *testing.T) {
	s := NewSet(1)
	for i := range seriesMax {
		s.Counter("n_total", "N.", Label{"site", strconv.Itoa(i)})
	}
	a := s.Counter("n_total", "N.", Label{"site", "one more"})
	b := s.Counter("n_total", "N.", Label{"site", "and another"})
	if a != b {
		t.Error("the number of series has no bound")
	}
	a.Add(0, 2)
	if got := text(t, s); !strings.Contains(got, `n_total{site="other"} 2`) {
		t.Error("what is beyond the limit is not written")
	}
}

func TestMisuseOfNamesPanics(t *testing.T) {
	for what, f := range map[string]func(s *Set){
		"a bad name":              func(s *Set) { s.Gauge("a-b", "") },
		"a digit first":           func(s *Set) { s.Gauge("1a", "") },
		"no name":                 func(s *Set) { s.Gauge("", "") },
		"a bad label name":        func(s *Set) { s.Gauge("b", "", Label{"x y", ""}) },
		"another type":            func(s *Set) { s.Histogram("a", "", Label{"site", ""}) },
		"other labels":            func(s *Set) { s.Gauge("a", "", Label{"pool", ""}) },
		"fewer labels":            func(s *Set) { s.Gauge("a", "") },
		"a function for a value":  func(s *Set) { s.GaugeFunc("a", "", nil, Label{"site", ""}) },
		"a counter without total": func(s *Set) { s.Counter("n", "") },
		"a gauge with total":      func(s *Set) { s.Gauge("n_total", "") },
		"an info without info":    func(s *Set) { s.Info("n", "") },
	} {
		t.Run(what, func(t *testing.T) {
			s := NewSet(1)
			s.Gauge("a", "", Label{"site", ""})
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(s)
		})
	}
}

func TestShardsNeverShareACacheLine(t *testing.T) {
	s := NewSet(3) // rounded up to 4
	first, second := s.Counter("a_total", ""), s.Counter("b_total", "")
	at := func(c *Counter, shard int) uintptr {
		return reflect.ValueOf(&c.cells.column[(shard&c.cells.mask)*lineCells]).Pointer() / 64
	}
	if at(first, 0) != at(second, 0) {
		t.Error("two counters of one loop lie far apart")
	}
	for shard := 1; shard < 4; shard++ {
		if at(first, shard) == at(first, shard-1) || at(second, shard) == at(first, shard-1) {
			t.Errorf("loops %d and %d write to the same cache line", shard-1, shard)
		}
	}
	if n := reflect.TypeFor[buckets]().Size(); n != 512 {
		t.Errorf("a loop's buckets take %d bytes", n)
	}
}

func TestEveryShardCounts(t *testing.T) {
	s := NewSet(4)
	c, h := s.Counter("n_total", "N."), s.Histogram("d_seconds", "D.")
	var wg sync.WaitGroup
	for shard := range 9 { // more loops than shards: they share
		wg.Go(func() {
			for range 1000 {
				c.Add(shard, 2)
				h.Observe(shard, time.Millisecond)
			}
		})
	}
	for range 10 {
		text(t, s) // reading while others write
	}
	wg.Wait()
	if c.Value() != 18_000 || h.Read().Count() != 9000 {
		t.Errorf("counted %d and %d", c.Value(), h.Read().Count())
	}
}

func TestBucketsAgreeWithAPlainSearch(t *testing.T) {
	f := func(d time.Duration) {
		want, _ := slices.BinarySearch(bounds[:], uint64(max(d, 0)))
		if got := bucketOf(d); got != want {
			t.Errorf("%v falls into bucket %d, want %d", d, got, want)
		}
	}
	for _, b := range bounds {
		for _, off := range []int64{-1, 0, 1} {
			f(time.Duration(int64(b) + off))
		}
	}
	for shift := range 63 {
		f(1 << shift)
		f(1<<shift - 1)
	}
	f(-time.Second)
	f(math.MaxInt64)
	if bounds[0] != uint64(10*time.Microsecond) || bounds[boundCount-1] != uint64(100*time.Second) {
		t.Errorf("bounds go from %d to %d", bounds[0], bounds[boundCount-1])
	}
}

func TestHistogramIsWrittenCumulatively(t *testing.T) {
	s := NewSet(1)
	h := s.Histogram("d_seconds", "D.", Label{"site", "a"})
	for _, d := range []time.Duration{-1, 10 * time.Microsecond, 15 * time.Microsecond, 3 * time.Millisecond, time.Hour} {
		h.Observe(0, d)
	}
	got := text(t, s)
	for _, line := range []string{
		`d_seconds_bucket{site="a",le="1e-05"} 2`,
		`d_seconds_bucket{site="a",le="2e-05"} 3`,
		`d_seconds_bucket{site="a",le="0.002"} 3`,
		`d_seconds_bucket{site="a",le="0.005"} 4`,
		`d_seconds_bucket{site="a",le="100"} 4`,
		`d_seconds_bucket{site="a",le="+Inf"} 5`,
		`d_seconds_sum{site="a"} 3600.003025`,
		`d_seconds_count{site="a"} 5`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
	if n := strings.Count(got, "_bucket"); n != 23 {
		t.Errorf("%d bucket lines", n)
	}
	e := s.Histogram("e_seconds", "E.")
	if strings.Contains(text(t, s), "e_seconds_bucket") {
		t.Error("a histogram that has observed nothing is written")
	}
	e.Observe(0, time.Second)
	if !strings.Contains(text(t, s), "e_seconds_bucket{le=\"1e-05\"} 0\n") {
		t.Error("a histogram without labels is written badly")
	}
}

func TestQuantilesAreNearTheTruth(t *testing.T) {
	h := newHistogram(1)
	for i := range 10_000 {
		h.Observe(0, time.Duration(i+1)*10*time.Microsecond) // even from 10 µs to 100 ms
	}
	before := h.Read()
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		got, want := before.Quantile(q).Seconds(), q*0.1
		if math.Abs(got-want) > 0.2*want {
			t.Errorf("quantile %g is %g s, want about %g s", q, got, want)
		}
	}
	h.Observe(0, time.Hour)
	if d := h.Read().Sub(before); d.Count() != 1 || d.Quantile(0.5) != 100*time.Second {
		t.Errorf("the last observation reads as %d times %v", d.Count(), d.Quantile(0.5))
	}
	if sum := before.Add(before); sum.Count() != 20_000 || sum.Quantile(0.9) != before.Quantile(0.9) || sum.Mean() != before.Mean() {
		t.Errorf("twice the same is %d times %v, mean %v", sum.Count(), sum.Quantile(0.9), sum.Mean())
	}
	if got := before.Mean(); got != 50_005*time.Microsecond {
		t.Errorf("mean %v", got)
	}
	if d := (Distribution{}); d.Quantile(0.5) != 0 || d.Mean() != 0 {
		t.Error("nothing has a quantile")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestReportsAWriteError(t *testing.T) {
	s := NewSet(1)
	s.Counter("n_total", "N.")
	if s.Write(brokenWriter{}, OpenMetrics) == nil || s.WriteText(brokenWriter{}) == nil {
		t.Error("no error")
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := NewSet(2)
	c, h := s.Counter("n_total", "N."), s.Histogram("d_seconds", "D.")
	h.Observe(1, 0)
	if n := testing.AllocsPerRun(100, func() {
		c.Add(1, 1)
		h.Observe(1, time.Millisecond)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
