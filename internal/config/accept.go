package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// warnings lists the codes that are warnings and not errors.
var warnings = []string{
	"accepts-nothing", "empty", "grpc-port", "method-case", "no-collector", "no-file", "no-site", "open-path", "open-private", "plain-secret", "same-path", "self-redirect",
	"trusts-everyone", "unanchored-regexp", "unused-listener", "unused-pool", "useless-timeout",
}

// acceptance finds a comment that accepts warnings.
var acceptance = regexp.MustCompile(`#\s*accept:\s*([a-z][a-z-]*(?:\s*,\s*[a-z][a-z-]*)*)`)

// An accepted is one name in a comment that accepts warnings.
type accepted struct {
	pos  Pos // of the name
	name string
	line int // that it is for
	used bool
}

// Accept drops the warnings that a file accepts, with a comment in their line, or alone in the line above it: "# accept: unused-pool". Errors can't be accepted. A name
// that accepts nothing is a warning. It is called when all diagnostics have been reported.
func (d *Decoder) Accept() {
	byPlace := map[Pos][]*accepted{} // the column of keys is 0
	var all []*accepted
	for _, file := range d.Files {
		for _, a := range acceptances(file, string(d.Sources[file])) {
			place := Pos{File: file, Line: a.line}
			byPlace[place] = append(byPlace[place], a)
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return
	}
	d.Diagnostics = slices.DeleteFunc(d.Diagnostics, func(diag Diagnostic) bool {
		for _, a := range byPlace[Pos{File: diag.Pos.File, Line: diag.Pos.Line}] {
			if a.name == diag.Code && diag.Severity == Warning {
				a.used = true
				return true
			}
		}
		return false
	})
	for _, a := range all {
		if !a.used {
			d.Report(a.useless())
		}
	}
}

// acceptances returns what the comments of a file accept.
func acceptances(file, text string) (all []*accepted) {
	if !strings.Contains(text, "accept:") {
		return nil
	}
	var above []*accepted // alone in their lines, waiting for the next one
	for i, line := range strings.Split(text, "\n") {
		alone := strings.HasPrefix(strings.TrimSpace(line), "#")
		var here []*accepted
		var at []int
		if strings.Contains(line, "accept:") {
			at = acceptance.FindStringSubmatchIndex(line)
		}
		if at != nil {
			start := at[2]
			for _, part := range strings.SplitAfter(line[at[2]:at[3]], ",") {
				name := strings.Trim(part, " \t,")
				column := utf8.RuneCountInString(line[:start+strings.Index(part, name)]) + 1
				here = append(here, &accepted{pos: Pos{file, i + 1, column}, name: name, line: i + 1})
				start += len(part)
			}
		}
		all = append(all, here...)
		if alone {
			above = append(above, here...)
			continue
		}
		for _, a := range above {
			a.line = i + 1
		}
		above = nil
	}
	return all
}

// useless is the warning about a name that accepts nothing.
func (a *accepted) useless() Diagnostic {
	diag := Diagnostic{Severity: Warning, Code: "accepts-nothing", Pos: a.pos, Width: utf8.RuneCountInString(a.name), Suggestion: "take it away"}
	diag.Text = fmt.Sprintf("there is no warning %q in line %d", a.name, a.line)
	if !slices.Contains(warnings, a.name) {
		diag.Text = fmt.Sprintf("%q is not the name of a warning", a.name)
		diag.Suggestion = DidYouMean(a.name, warnings)
	}
	return diag
}
