package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Severity says whether a diagnostic stops the configuration from being used.
type Severity uint8

const (
	// Error means that the configuration is refused.
	Error Severity = iota
	// Warning means that something is likely not meant.
	Warning
)

// String is the word that messages begin with.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// A Diagnostic is one thing that is wrong with a configuration, at a place.
type Diagnostic struct {
	Severity   Severity
	Code       string // what kind of fault, such as "unknown-key": lower case words joined by hyphens
	Pos        Pos
	Width      int    // characters under the caret; 0 counts as 1
	Text       string // one line, without the place; never the value of a secret
	Suggestion string // "" if there is none
}

// diagnosticsMax is how many diagnostics a Decoder keeps; what comes after is counted only.
const diagnosticsMax = 1000

// textMax is how long the text of a diagnostic is, in bytes; a longer one names something that is not worth reading whole.
const textMax = 500

// Errorf notes an error at n. A nil node has no place.
func (d *Decoder) Errorf(n *Node, code, format string, args ...any) {
	d.Hintf(n, code, "", format, args...)
}

// Hintf is Errorf with a suggestion, which may be "". A node that is faulty already gets no second error: it would follow from the first.
func (d *Decoder) Hintf(n *Node, code, suggestion, format string, args ...any) {
	if d.isFaulty(n) {
		d.errors++
		return
	}
	if code != "missing" {
		d.spoil(n)
	}
	if len(d.Diagnostics) >= diagnosticsMax {
		d.errors++
		d.Dropped++
		return
	}
	d.Report(at(n, Error, code, suggestion, fmt.Sprintf(format, args...)))
}

// spoil notes that what is wrong with n has been said, or that it can't be known what n would be without a fault elsewhere.
func (d *Decoder) spoil(n *Node) {
	if d.faulty == nil {
		d.faulty = map[*Node]struct{}{}
	}
	d.faulty[n] = struct{}{}
}

// isFaulty reports whether an error was noted at n.
func (d *Decoder) isFaulty(n *Node) bool {
	_, ok := d.faulty[n]
	return ok && n != nil
}

// Warnf notes a warning at n, unless n is faulty already.
func (d *Decoder) Warnf(n *Node, code, format string, args ...any) {
	if d.isFaulty(n) {
		return
	}
	d.Report(at(n, Warning, code, "", fmt.Sprintf(format, args...)))
}

func at(n *Node, s Severity, code, suggestion, text string) Diagnostic {
	diag := Diagnostic{Severity: s, Code: code, Text: text, Suggestion: suggestion}
	if n != nil {
		diag.Pos, diag.Width = n.Pos, n.Width
	}
	return diag
}

// Report notes a diagnostic. One that is there already is dropped: what is inherited is decoded once for each route.
func (d *Decoder) Report(diag Diagnostic) {
	if diag.Severity == Error {
		d.errors++
	}
	if len(diag.Text) > textMax {
		diag.Text = strings.ToValidUTF8(diag.Text[:textMax], "") + "…"
	}
	if _, ok := d.seen[diag]; ok || d.partial && followsFromGap(diag.Code) {
		return
	}
	if len(d.Diagnostics) >= diagnosticsMax {
		d.Dropped++
		return
	}
	if d.seen == nil {
		d.seen = map[Diagnostic]struct{}{}
	}
	d.seen[diag] = struct{}{}
	d.Diagnostics = append(d.Diagnostics, diag)
}

// followsFromGap reports whether a fault may come only from a part of the file that could not be read: then it is not worth a message.
func followsFromGap(code string) bool {
	switch code {
	case "missing", "no-value", "no-answer", "no-site", "unknown-pool", "unused-pool", "unused-listener", "empty":
		return true
	}
	return false
}

// Errors is how many errors there were, those that were not worth a message included.
func (d *Decoder) Errors() int { return d.errors }

// Failed reports whether there was an error: then the configuration must not be used.
func (d *Decoder) Failed() bool { return d.errors > 0 }

// Sort puts the diagnostics in the order of their places: files as they were first met, then lines and columns.
func (d *Decoder) Sort() {
	order := func(file string) int {
		if i := slices.Index(d.Files, file); i >= 0 {
			return i
		}
		return -1
	}
	slices.SortStableFunc(d.Diagnostics, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(order(a.Pos.File), order(b.Pos.File)),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
		)
	})
}
