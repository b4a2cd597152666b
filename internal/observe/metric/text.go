package metric

import (
	"bufio"
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// WriteText is Write in the format Text.
func (s *Set) WriteText(w io.Writer) error { return s.Write(w, Text) }

// Write writes all series in a format, sorted by name and labels. It reads while loops go on counting: each number is right at some moment of the call. The lock
// is not held while w is written to.
func (s *Set) Write(w io.Writer, f Format) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for _, m := range s.sorted() {
		line = appendHead(line[:0], f, &m)
		for _, r := range m.series {
			line = r.metric.appendTo(line, f, m.name, r.text)
			if _, err := out.Write(line); err != nil {
				return err
			}
			line = line[:0]
		}
	}
	if f == OpenMetrics {
		_, _ = out.WriteString("# EOF\n") // Flush has the error
	}
	return out.Flush()
}

// sortedFamily is a family whose series can be read without the lock.
type sortedFamily struct {
	name, help, kind string
	series           []*series
}

func (s *Set) sorted() []sortedFamily {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sortedFamily
	for _, f := range s.families {
		if len(f.series) == 0 {
			continue
		}
		g := sortedFamily{name: f.name, help: f.help, kind: f.kind}
		for _, r := range f.series {
			g.series = append(g.series, r)
		}
		slices.SortFunc(g.series, func(a, b *series) int { return cmp.Compare(a.text, b.text) })
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b sortedFamily) int { return cmp.Compare(a.name, b.name) })
	return all
}

// appendHead appends what is said of a family before its series. OpenMetrics calls it by the name without what samples add to it, knows units, and tells
// info from gauges.
func appendHead(dst []byte, f Format, m *sortedFamily) []byte {
	name, kind, help := m.name, m.kind, textHelp.Replace(m.help)
	if f == OpenMetrics {
		name, help = strings.TrimSuffix(strings.TrimSuffix(name, totalSuffix), infoSuffix), openHelp.Replace(m.help)
	} else if kind == info {
		kind = gauge
	}
	dst = append(dst, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
	if unit := unitOf(name); f == OpenMetrics && unit != "" {
		dst = append(dst, "# UNIT "+name+" "+unit+"\n"...)
	}
	return dst
}

// What the names of counters and of info end in.
const (
	totalSuffix = "_total"
	infoSuffix  = "_info"
)

// unitOf returns the unit that a name, without a suffix, ends in; empty for plain numbers.
func unitOf(name string) string {
	for _, unit := range []string{"seconds", "bytes"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// appendSample appends one line. Whole numbers are written without an exponent up to 2^53, where a float64 ends being exact.
func appendSample(dst []byte, name, labels string, v float64) []byte {
	dst = append(dst, name...)
	if labels != "" {
		dst = append(dst, '{')
		dst = append(dst, labels...)
		dst = append(dst, '}')
	}
	dst = append(dst, ' ')
	switch {
	case math.IsNaN(v):
		dst = append(dst, "NaN"...)
	case math.IsInf(v, 0):
		dst = append(dst, "+Inf"...)
		if v < 0 {
			dst[len(dst)-4] = '-'
		}
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		dst = strconv.AppendInt(dst, int64(v), 10)
	default:
		dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	return append(dst, '\n')
}

// labelText returns labels as they stand between the braces.
func labelText(labels Labels) string {
	var b strings.Builder
	for i, l := range labels {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.Name + `="` + labelEscapes.Replace(strings.ToValidUTF8(l.Value, "\uFFFD")) + `"`)
	}
	return b.String()
}

var (
	textHelp     = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	openHelp     = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)
