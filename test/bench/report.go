//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// referenceOf is the proxy that all others are compared with: nginx, or the first one of several where that is not measured; "" if there is nothing to compare.
func referenceOf(order []string) string {
	switch {
	case slices.Contains(order, "nginx"):
		return "nginx"
	case len(order) > 1:
		return order[0]
	}
	return ""
}

// othersMax is how many cores' worth of CPU time the rest of the machine may take before the report calls itself unreliable.
const othersMax = 0.1

// A report is what a run found, ready to be printed or encoded.
type report struct {
	Date     string
	Machine  machine
	Versions []string
	Rounds   int
	Duration string // of each measured run
	Cores    string
	Tables   []table
	others   []float64 // of all samples
}

// A table holds one workload.
type table struct {
	Workload, Title, Unit string
	Reference             string // what Ratio compares with; "" if nothing does
	Rows                  []row
	Verdict               string // whether Sluice reached its goal; may be empty
}

// A row holds one proxy. What is no spread is the median of the rounds.
type row struct {
	Proxy    string
	Value    spread
	Ratio    spread // to the reference, round by round; 0 without a reference
	Rate     float64
	P50, P99 float64 // milliseconds; 0 if not measured
	Busy     float64
	RSS      float64 // MiB
	Faults   int64   // of all rounds
	Samples  []sample
}

// newReport notes where and how the run is made.
func newReport(ctx context.Context, b *bench) *report {
	r := &report{
		Date:     time.Now().UTC().Format("2006-01-02 15:04 MST"),
		Machine:  thisMachine(),
		Rounds:   b.options.rounds,
		Duration: b.options.duration.String(),
		Cores:    fmt.Sprintf("proxy on core %d, origin and load on %s", b.options.cores[0], coreList(b.options.loadCores(1))),
	}
	for _, p := range b.peers {
		r.Versions = append(r.Versions, p.versionOf(ctx))
	}
	return r
}

// add appends the table of a workload. The rows stand in the order of the proxies' names in the options.
func (r *report) add(w workload, order []string, samples map[string][]sample) {
	t := table{Workload: w.name, Title: w.title, Unit: w.unit(), Reference: referenceOf(order)}
	base := column(samples[t.Reference], sample.value)
	for _, name := range order {
		t.Rows = append(t.Rows, newRow(name, samples[name], base))
	}
	for _, row := range t.Rows {
		switch {
		case row.Proxy == "sluice" && t.Reference != "sluice":
			t.Verdict = w.verdict(row.Value.Median, row.Ratio.Median)
		case row.Proxy == "observed" && t.Reference == "sluice" && w.name == "1k":
			t.Verdict = w.observedVerdict(row.Ratio.Median)
		}
	}
	r.Tables = append(r.Tables, t)
	for _, s := range samples {
		r.others = append(r.others, column(s, func(s sample) float64 { return s.Others })...)
	}
}

// newRow sums up the rounds of a proxy. base holds the reference's values, round by round.
func newRow(name string, samples []sample, base []float64) row {
	middle := func(of func(sample) float64) float64 { return spreadOf(column(samples, of)).Median }
	values := column(samples, sample.value)
	r := row{
		Proxy:   name,
		Value:   spreadOf(values),
		Ratio:   spreadOf(ratios(values, base)),
		Rate:    middle(func(s sample) float64 { return s.Rate }),
		P50:     middle(func(s sample) float64 { return s.P50 }),
		P99:     middle(func(s sample) float64 { return s.P99 }),
		Busy:    middle(func(s sample) float64 { return s.Busy }),
		RSS:     middle(func(s sample) float64 { return s.RSS }),
		Samples: samples,
	}
	for _, s := range samples {
		r.Faults += s.Faults
	}
	return r
}

func (s sample) value() float64 { return s.Value }

// column picks one number of each sample.
func column(samples []sample, of func(sample) float64) []float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	return values
}

// faults is an error if requests went wrong: then the figures compare different work and mean nothing.
func (r *report) faults() error {
	var all []error
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if row.Faults > 0 {
				all = append(all, fmt.Errorf("%s, %s: %d requests or connections failed", t.Workload, row.Proxy, row.Faults))
			}
		}
	}
	return errors.Join(all...)
}

// write prints the report in one of the formats.
func (r *report) write(w io.Writer, format string) error {
	var text string
	switch format {
	case formatJSON:
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case formatMarkdown:
		text = r.markdown()
	default:
		text = r.text()
	}
	_, err := io.WriteString(w, text)
	return err
}

// columns are the headings of a table.
func (t *table) columns() []string {
	return []string{"proxy", t.Unit, "min–max", "× " + t.Reference, "min–max", "per s", "p50 ms", "p99 ms", "busy %", "RSS MiB"}
}

// cells are the row's values, in the order of the columns.
func (r *row) cells() []string {
	name := r.Proxy
	if r.Faults > 0 {
		name += fmt.Sprintf(" (%d FAULTS)", r.Faults)
	}
	return []string{
		name, number(r.Value.Median, 2), between(r.Value), number(r.Ratio.Median, 2), between(r.Ratio), number(r.Rate, 0),
		number(r.P50, 2), number(r.P99, 2), number(100*r.Busy, 0), number(r.RSS, 1),
	}
}

func between(s spread) string {
	if s == (spread{}) {
		return "–"
	}
	return number(s.Min, 2) + "–" + number(s.Max, 2)
}

// number leaves out what was not measured.
func number(v float64, digits int) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// head tells the circumstances, as a list of lines.
func (r *report) head() []string {
	lines := []string{
		r.Date,
		r.Machine.String(),
		strings.Join(r.Versions, " · "),
		fmt.Sprintf("%d rounds of %s, %s; medians, and ratios as medians of each round's ratio", r.Rounds, r.Duration, r.Cores),
	}
	if others := spreadOf(r.others); others.Median > othersMax {
		lines = append(lines, fmt.Sprintf("UNRELIABLE: the machine had other things to do, %.2f cores' worth (median; at most %.2f)", others.Median, others.Max))
	}
	return lines
}

// text lines the columns up.
func (r *report) text() string {
	var b strings.Builder
	for _, line := range r.head() {
		fmt.Fprintln(&b, line)
	}
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n%s: %s\n", t.Workload, t.Title)
		t.writeLines(&b, "  ", "")
	}
	return b.String()
}

// markdown is the block for docs/benchmarks.md.
func (r *report) markdown() string {
	var b strings.Builder
	for _, line := range r.head() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n### %s: %s\n\n", t.Workload, t.Title)
		t.writeLines(&b, " | ", "|")
	}
	return b.String()
}

// writeLines prints a table with columns of equal width, so that a Markdown table reads well as it is. border is empty for plain text.
func (t *table) writeLines(b *strings.Builder, gap, border string) {
	lines := [][]string{t.columns()}
	for i := range t.Rows {
		lines = append(lines, t.Rows[i].cells())
	}
	width := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, cell := range cells {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for n, cells := range lines {
		writeLine(b, cells, width, gap, border)
		if n == 0 && border != "" {
			writeRule(b, width)
		}
	}
	if t.Verdict != "" {
		fmt.Fprintf(b, "\n%s\n", t.Verdict)
	}
}

// writeLine prints one line, names to the left and numbers to the right.
func writeLine(b *strings.Builder, cells []string, width []int, gap, border string) {
	var padded []string
	for i, cell := range cells {
		space := strings.Repeat(" ", width[i]-len([]rune(cell)))
		if i == 0 {
			padded = append(padded, cell+space)
		} else {
			padded = append(padded, space+cell)
		}
	}
	line := strings.Join(padded, gap)
	if border != "" {
		line = border + " " + line + " " + border
	}
	fmt.Fprintln(b, line)
}

// writeRule prints the line below the headings of a Markdown table.
func writeRule(b *strings.Builder, width []int) {
	for i, w := range width {
		if i == 0 {
			fmt.Fprintf(b, "|%s", strings.Repeat("-", w+2))
		} else {
			fmt.Fprintf(b, "|%s:", strings.Repeat("-", w+1))
		}
	}
	fmt.Fprintln(b, "|")
}
