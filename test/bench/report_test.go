//go:build linux

package main

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpreadTakesTheMiddleAndTheEnds(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 2}, spread{2, 1, 9}},
		{[]float64{4, 1, 2, 3}, spread{2.5, 1, 4}},
	} {
		values := slices.Clone(c.values)
		if got := spreadOf(values); got != c.want || !slices.Equal(values, c.values) {
			t.Errorf("spreadOf(%v) = %v, want %v; the values now: %v", c.values, got, c.want, values)
		}
	}
}

func TestRatiosCompareTheSameRound(t *testing.T) {
	got := ratios([]float64{10, 40, 5}, []float64{20, 80, 0})
	if !slices.Equal(got, []float64{0.5, 0.5}) {
		t.Errorf("ratios = %v", got)
	}
	if got := ratios([]float64{1}, nil); got != nil {
		t.Errorf("ratios without a reference = %v", got)
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for p, want := range map[float64]int{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(hundred, p); got != want {
			t.Errorf("percentile %v = %d, want %d", p, got, want)
		}
	}
	if got := percentile([]int{7}, 50); got != 7 {
		t.Errorf("of one value: %d", got)
	}
	if got := percentile([]int(nil), 50); got != 0 {
		t.Errorf("of none: %d", got)
	}
}

// someReport has two proxies and a goal that was missed.
func someReport() *report {
	r := &report{Date: "2026-01-02 03:04 UTC", Rounds: 3, Duration: "1s"}
	w := allWorkloads()[0]
	r.add(w, []string{"sluice", "nginx"}, map[string][]sample{
		"nginx":  {{Value: 10, Rate: 1e5}, {Value: 20, Rate: 1e5}, {Value: 16, Rate: 1e5}},
		"sluice": {{Value: 9.3, P99: 1.234}, {Value: 18.8, P99: 2}, {Value: 16, P99: 3, Faults: 2}},
	})
	return r
}

func TestReportTellsMedianRatioAndGoal(t *testing.T) {
	text := someReport().markdown()
	for _, want := range []string{
		"### 1k: 1 KiB, 64 connections\n",
		"| proxy             | CPU µs/request |     min–max | × nginx |   min–max |  per s |",
		"| sluice (2 FAULTS) |          16.00 |  9.30–18.80 |    0.94 | 0.93–1.00 |      – |",
		"| nginx             |          16.00 | 10.00–20.00 |    1.00 | 1.00–1.00 | 100000 |",
		"goal: × nginx ≤ 0.92: MISSED (0.94)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestReportWithFaultsIsAnError(t *testing.T) {
	err := someReport().faults()
	if err == nil || err.Error() != "1k, sluice: 2 requests or connections failed" {
		t.Errorf("faults = %v", err)
	}
}

func TestReportEncodesWithoutAReference(t *testing.T) {
	r := &report{}
	r.add(allWorkloads()[0], []string{"sluice"}, map[string][]sample{"sluice": {{Value: 1}}})
	if err := r.write(io.Discard, formatJSON); err != nil {
		t.Error(err)
	}
	if text := r.text(); !strings.Contains(text, "–") || strings.Contains(text, "NaN") || strings.Contains(text, "goal") {
		t.Errorf("text without a reference:\n%s", text)
	}
	var back report
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || back.Tables[0].Rows[0].Value.Median != 1 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestReportSaysWhenTheMachineWasBusy(t *testing.T) {
	r := &report{others: []float64{0.5, 0.01, 0.6}}
	if head := strings.Join(r.head(), "\n"); !strings.Contains(head, "UNRELIABLE") {
		t.Error(head)
	}
	r.others = []float64{0.05, 0.01, 0.6}
	if head := strings.Join(r.head(), "\n"); strings.Contains(head, "UNRELIABLE") {
		t.Error(head)
	}
}

func TestSampleRelatesUseToWork(t *testing.T) {
	begin := time.Now()
	before := reading{proxy: usage{cpu: time.Second}, machine: 10 * time.Second, at: begin}
	after := reading{
		proxy: usage{cpu: 2 * time.Second, rss: 3 << 20}, origin: usage{cpu: 500 * time.Millisecond},
		machine: 13 * time.Second, at: begin.Add(4 * time.Second),
	}
	l := load{Requests: 50_000, Elapsed: 2 * time.Second, P50: time.Millisecond, P99: 3 * time.Millisecond, CPU: 500 * time.Millisecond}
	got, err := newSample(l, before, after)
	want := sample{Value: 20, Rate: 25_000, P50: 1, P99: 3, Busy: 0.5, Others: 0.25, RSS: 3}
	if err != nil || math.Abs(got.Value-want.Value) > 1e-9 {
		t.Fatalf("newSample = %+v, %v; want %+v", got, err, want)
	}
	if got.Value = want.Value; got != want {
		t.Errorf("newSample = %+v; want %+v", got, want)
	}
	if got, err := newSample(load{Elapsed: time.Second}, before, after); err == nil {
		t.Errorf("a sample without requests: %+v", got)
	}
}
