// Package metric counts what happens on the way of a request, and writes it in the text format of Prometheus or as OpenMetrics.
//
// A series is resolved when a snapshot is built; on the way of a request it costs one atomic add on a cache line that no other loop writes. Readers sum
// over the loops. Series are found by name and labels, so that they survive a reload; Retain drops those of sites and pools that are gone.
//
// Labels come from the config and from fixed lists, never from a message, so that no client can make series; seriesMax bounds them all the same.
// Own code and not VictoriaMetrics/metrics, because there a counter is one word that all cores write and a histogram takes a mutex at each observation.
package metric

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// seriesMax is how many series one name can have. Those beyond it are counted together, in a series whose label values are all "other".
const seriesMax = 100_000

// A Label tells the series of one name apart.
type Label struct {
	Name  string // letters, digits and underscores; the same names in the same order for all series of one metric
	Value string // any text
}

// Labels are all labels of one series.
type Labels []Label

// Get returns the value of the label with that name.
func (l Labels) Get(name string) (value string, ok bool) {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value, true
		}
	}
	return "", false
}

// A Set holds the metrics of one process. Its methods may be called from any goroutine; all but Write are for build time and take a lock.
//
// Names and labels are written by programmers: the methods panic at a bad name, and at one name used for two types or with two lists of label names.
type Set struct {
	shards int // how many loops have cells of their own; a power of two

	mu       sync.Mutex
	families map[string]*family // by name; guarded by mu
	page     page               // guarded by mu
}

// The kinds of families, as they are written.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
	info      = "info"
)

// A family is all series of one name.
type family struct {
	name, help, kind string
	labels           []string // label names, in order
	series           map[string]*series
}

// A series is one combination of label values.
type series struct {
	text   string // the labels as they are written, without braces; also the key
	labels Labels
	metric reader
}

// A reader is a metric as the writer sees it.
type reader interface {
	// appendTo appends the lines of the series called name with these labels. They are the same in all formats, but for how bounds of buckets look.
	appendTo(dst []byte, f Format, name, labels string) []byte
}

// NewSet returns an empty set for so many loops. The number of a loop, its shard, is what Driver.ID returns; larger ones share cells, which costs time and is
// not wrong.
func NewSet(shards int) *Set {
	n := 1
	for n < shards {
		n *= 2
	}
	return &Set{shards: n, families: map[string]*family{}}
}

// Counter returns the counter with that name and these labels, a new one if there is none. Its name must end in _total.
func (s *Set) Counter(name, help string, labels ...Label) *Counter {
	return lookUp(s, counter, name, help, labels, func() *Counter { return &Counter{s.newCellsLocked()} })
}

// Gauge returns the gauge with that name and these labels, a new one if there is none.
func (s *Set) Gauge(name, help string, labels ...Label) *Gauge {
	return lookUp(s, gauge, name, help, labels, func() *Gauge { return &Gauge{s.newCellsLocked()} })
}

// Histogram returns the histogram with that name and these labels, a new one if there is none. By custom its name ends in _seconds.
func (s *Set) Histogram(name, help string, labels ...Label) *Histogram {
	return lookUp(s, histogram, name, help, labels, func() *Histogram { return newHistogram(s.shards) })
}

// GaugeFunc makes f what is read for that name and these labels, in place of a function that was there. f is called by readers, and must not use the set.
func (s *Set) GaugeFunc(name, help string, f func() float64, labels ...Label) {
	lookUp(s, gauge, name, help, labels, func() *function { return &function{} }).f.Store(&f)
}

// CounterFunc is GaugeFunc for a number that only grows and is counted elsewhere.
func (s *Set) CounterFunc(name, help string, f func() float64, labels ...Label) {
	lookUp(s, counter, name, help, labels, func() *function { return &function{} }).f.Store(&f)
}

// Info makes a series that is always 1 and tells something by its labels. Its name must end in _info.
func (s *Set) Info(name, help string, labels ...Label) {
	lookUp(s, info, name, help, labels, func() constant { return constant{} })
}

// A Family is what all series of one name have in common.
type Family struct {
	Name, Help string
	Kind       string   // "counter", "gauge", "histogram", "info"
	Labels     []string // names, in order
	Series     int      // how many there are now
}

// Families returns what there is, sorted by name: for the documentation, and for tests that no client can make series.
func (s *Set) Families() []Family {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Family
	for _, f := range s.families {
		all = append(all, Family{f.name, f.help, f.kind, slices.Clone(f.labels), len(f.series)})
	}
	slices.SortFunc(all, func(a, b Family) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Retain drops the series for which keep says no. What a running exchange still adds to a dropped series is lost; a later look-up begins at zero.
func (s *Set) Retain(keep func(name string, labels Labels) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.families {
		maps.DeleteFunc(f.series, func(_ string, r *series) bool { return !keep(f.name, r.labels) })
	}
}

// lookUp finds the series or makes it. A free function, because methods have no type parameters.
func lookUp[M reader](s *Set, kind, name, help string, labels Labels, make func() M) M {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.familyLocked(kind, name, help, labels)
	text := labelText(labels)
	r := f.series[text]
	if r == nil && len(f.series) >= seriesMax {
		labels = others(labels)
		text = labelText(labels)
		r = f.series[text]
	}
	if r == nil {
		r = &series{text, slices.Clone(labels), make()}
		f.series[text] = r
	}
	m, ok := r.metric.(M)
	if !ok {
		panic("metric: " + name + " is used both as a value and as a function")
	}
	return m
}

// familyLocked returns the family of that name. The caller must hold s.mu.
func (s *Set) familyLocked(kind, name, help string, labels Labels) *family {
	f := s.families[name]
	if f == nil {
		f = &family{name: name, help: help, kind: kind, series: map[string]*series{}}
		mustBeName(name)
		mustFit(name, kind)
		for _, l := range labels {
			mustBeName(l.Name)
			f.labels = append(f.labels, l.Name)
		}
		s.families[name] = f
	}
	same := f.kind == kind && len(f.labels) == len(labels)
	for i := 0; same && i < len(labels); i++ {
		same = f.labels[i] == labels[i].Name
	}
	if !same {
		panic("metric: " + name + " is used with two types or two lists of labels")
	}
	return f
}

func others(labels Labels) Labels {
	all := slices.Clone(labels)
	for i := range all {
		all[i].Value = "other"
	}
	return all
}

// mustFit panics if the suffix of name does not tell its kind: OpenMetrics wants it so.
func mustFit(name, kind string) {
	if strings.HasSuffix(name, totalSuffix) != (kind == counter) || strings.HasSuffix(name, infoSuffix) != (kind == info) {
		panic("metric: " + name + " does not look like a " + kind)
	}
}

// mustBeName panics if name is not a metric or label name without colons.
func mustBeName(name string) {
	for i, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			panic("metric: bad name " + name)
		}
	}
	if name == "" {
		panic("metric: empty name")
	}
}
