package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/internal/admin"
	"sluice/internal/cli/shown"
)

// A Style says how a line is to look.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Title       // of a table
	Alarm       // something is wrong there
)

// A Line is one of the view.
type Line struct {
	Text  string
	Style Style
}

// A View is what is known of a process. The zero View knows nothing. It is for one goroutine.
type View struct {
	status  *admin.Status
	before  *admin.Status
	figures admin.Figures
	note    string // what to tell the user, "" for nothing
}

// See takes a status.
func (v *View) See(s *admin.Status) { v.before, v.status = v.status, s }

// Count takes figures.
func (v *View) Count(f *admin.Figures) { v.figures = *f }

// Say shows a note, "" for none.
func (v *View) Say(note string) { v.note = note }

// Head is what is always to be seen: the process as a whole, in lines of at most width characters.
func (v *View) Head(width int) []Line {
	s := v.status
	if s == nil {
		return []Line{{Text: fit(cmp.Or(v.note, "waiting for the process …"), width)}}
	}
	connections, state := int64(0), ""
	for _, l := range s.Loops {
		connections += l.Connections
	}
	switch {
	case s.Draining:
		state = "  ENDING"
	case s.Until != nil:
		state = "  on trial until " + s.Until.Local().Format(time.TimeOnly)
	}
	t := v.figures.Total
	all := []Line{
		{Text: fmt.Sprintf("sluice %s  up %s  generation %d  %s%s", s.Version, uptime(s.UptimeSeconds), s.Generation, s.Config, state)},
		{Text: fmt.Sprintf("clients %d  requests %s/s  in %s/s  out %s/s", connections, v.rate(t.Requests), v.bytes(t.Received), v.bytes(t.Sent))},
		{Text: fmt.Sprintf("p50 %s  p90 %s  p99 %s  4xx %s  5xx %s  broken off %d", times(t.Duration.P50), times(t.Duration.P90), times(t.Duration.P99),
			share(t.ClientErrors, t.Requests), share(t.ServerErrors, t.Requests), t.Aborted)},
	}
	if t.ServerErrors > 0 {
		all[2].Style = Alarm
	}
	if v.note != "" {
		all = append(all, Line{Text: v.note, Style: Alarm})
	}
	for i := range all {
		all[i].Text = fit(all[i].Text, width)
	}
	return all
}

// nameMin is the least that a table's first column gets, in characters.
const nameMin = 12

// Body is the tables, in lines of at most width characters.
func (v *View) Body(width int) []Line {
	if v.status == nil {
		return nil
	}
	return append(append(v.sites(width), Line{}), v.pools(width)...)
}

func (v *View) sites(width int) []Line {
	const columns = "%s %8s %6s %6s %7s %7s %8s %8s"
	name := max(width-57, nameMin)
	all := []Line{{fit(fmt.Sprintf(columns, pad("SITE", name), "REQ/S", "4XX", "5XX", "P50", "P99", "IN/S", "OUT/S"), width), Title}}
	var names []string
	for _, f := range v.figures.Sites {
		names = append(names, f.Site)
	}
	short := shorten(names, name)
	for _, f := range v.figures.Sites {
		l := Line{Text: fit(fmt.Sprintf(columns, pad(cmp.Or(short[f.Site], "(no site)"), name), v.rate(f.Requests), share(f.ClientErrors, f.Requests), share(f.ServerErrors, f.Requests),
			times(f.Duration.P50), times(f.Duration.P99), v.bytes(f.Received), v.bytes(f.Sent)), width)}
		if f.ServerErrors > 0 {
			l.Style = Alarm
		}
		all = append(all, l)
	}
	return all
}

func (v *View) pools(width int) []Line {
	const columns = "%s %-9s %8s %7s %7s %6s %7s %7s"
	name := max(width-58, nameMin)
	all := []Line{{fit(fmt.Sprintf(columns, pad("POOL, SERVERS", name), "STATE", "REQ/S", "FAIL/S", "ACTIVE", "IDLE", "P50", "P99"), width), Title}}
	figures := map[string]admin.PoolFigures{}
	for _, f := range v.figures.Pools {
		figures[f.Pool] = f
	}
	pools := slices.Clone(v.status.Pools)
	slices.SortStableFunc(pools, func(a, b admin.Pool) int { return cmp.Compare(figures[b.Name].Requests, figures[a.Name].Requests) })
	var names []string
	for _, p := range pools {
		names = append(names, p.Name)
	}
	short, seen := shorten(names, name), map[string]bool{}
	for _, p := range pools {
		if seen[p.Name] { // pools that are written in place can have the same name, and are counted as one
			continue
		}
		seen[p.Name] = true
		f := figures[p.Name]
		all = append(all, Line{Text: fit(fmt.Sprintf(columns, pad(short[p.Name], name), "", v.rate(f.Requests), "", "", "", times(f.Response.P50), times(f.Response.P99)), width)})
		for _, e := range p.Endpoints {
			all = append(all, v.server(&e, columns, name, width))
		}
	}
	return all
}

func (v *View) server(e *admin.Endpoint, columns string, name, width int) Line {
	before := v.earlier(e)
	requests, failures := e.Requests-before.Requests, e.Failures-before.Failures
	l := Line{Text: fit(fmt.Sprintf(columns, pad("  "+strings.TrimPrefix(e.Address, "http://"), name), e.State, v.rate(requests), v.rate(failures),
		fmt.Sprint(e.Active), fmt.Sprint(e.Idle), "", ""), width)}
	if e.State != "up" || failures > 0 {
		l.Style = Alarm
	}
	return l
}

// earlier is what was known of a server before; the same as now if it was not known.
func (v *View) earlier(e *admin.Endpoint) admin.Endpoint {
	if v.before == nil {
		return *e
	}
	for _, p := range v.before.Pools {
		for _, old := range p.Endpoints {
			if old.Pool == e.Pool && old.Address == e.Address {
				return old
			}
		}
	}
	return *e
}

// rate writes how many there were in a second.
func (v *View) rate(n int64) string {
	if v.figures.Seconds <= 0 {
		return "0"
	}
	switch r := float64(n) / v.figures.Seconds; {
	case r == 0:
		return "0"
	case r < 100:
		return fmt.Sprintf("%.1f", r)
	case r < 1e6:
		return fmt.Sprintf("%.0f", r)
	default:
		return fmt.Sprintf("%.2fM", r/1e6)
	}
}

func (v *View) bytes(n int64) string {
	if v.figures.Seconds <= 0 {
		return "0B"
	}
	return shown.Bytes(int64(float64(n) / v.figures.Seconds))
}

// share writes a part in percent.
func share(part, of int64) string {
	if part == 0 || of == 0 {
		return "0%"
	}
	p := 100 * float64(part) / float64(of)
	if p < 10 {
		return fmt.Sprintf("%.2f%%", p)
	}
	return fmt.Sprintf("%.0f%%", p)
}

// times writes a time; nothing was counted where it is 0.
func times(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return shown.Milliseconds(ms)
}

func uptime(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if days := d / (24 * time.Hour); days > 0 {
		return fmt.Sprintf("%dd%dh", days, d%(24*time.Hour)/time.Hour)
	}
	return d.Truncate(time.Second).String()
}

// shorten cuts the names of a column to width so that they can be told apart, and returns what each becomes.
func shorten(names []string, width int) map[string]string {
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	short := make(map[string]string, len(sorted))
	for i, name := range sorted {
		alike := 0
		if i > 0 {
			alike = alikeFor(sorted[i-1], name)
		}
		if i+1 < len(sorted) {
			alike = max(alike, alikeFor(name, sorted[i+1]))
		}
		short[name] = cut([]rune(name), alike, width)
	}
	return short
}

// alikeFor returns for how many characters two names begin alike.
func alikeFor(a, b string) int {
	other := []rune(b)
	n := 0
	for _, r := range a {
		if n == len(other) || other[n] != r {
			break
		}
		n++
	}
	return n
}

// cut cuts a name to width: at its end, or, where it begins like another one for too long for that, so that its beginning is shown and where it is different.
func cut(name []rune, alike, width int) string {
	if len(name) <= width {
		return string(name)
	}
	if alike < width-1 {
		return string(name[:width-1]) + "…"
	}
	head := width / 3
	window := width - head - 2
	end := min(alike+1, len(name)) // of the window: behind what is different, and more of that label while half of the window is left for what is before it
	for end < len(name) && end < alike+window/2 && !strings.ContainsRune(".:/", name[end]) && !strings.ContainsRune(".:/", name[end-1]) {
		end++
	}
	last := "…"
	if end == len(name) {
		window, last = window+1, ""
	}
	return string(name[:head]) + "…" + string(name[end-window:end]) + last
}

// pad makes text exactly width characters long; the end of a server's address says more than its beginning does.
func pad(text string, width int) string {
	text = shown.Printable(text)
	n := utf8.RuneCountInString(text)
	if n > width {
		return "…" + string([]rune(text)[n-width+1:])
	}
	return text + strings.Repeat(" ", width-n)
}

// fit cuts text to width characters.
func fit(text string, width int) string {
	text = shown.Printable(text)
	if utf8.RuneCountInString(text) > width {
		return string([]rune(text)[:max(width-1, 0)]) + "…"
	}
	return text
}
