package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// renderedMax is how many diagnostics are printed; the rest is counted.
	renderedMax = 100
	// sourceMax is how many characters of a source line are printed; a longer one is cut around the caret.
	sourceMax = 160
)

// Terminal colours, used by Render on request.
const (
	red    = "\x1b[31;1m"
	yellow = "\x1b[33;1m"
	dim    = "\x1b[2m"
	plain  = "\x1b[0m"
)

// Render writes d's diagnostics for people, sorted: place, text, source line, caret, suggestion.
func (d *Decoder) Render(w io.Writer, color bool) error {
	d.Sort()
	out := bufio.NewWriter(w)
	lines := map[string][]string{}
	for _, diag := range d.Diagnostics[:min(len(d.Diagnostics), renderedMax)] {
		renderHead(out, diag, color)
		file := diag.Pos.File
		if _, ok := lines[file]; !ok {
			lines[file] = strings.Split(string(d.Sources[file]), "\n")
		}
		if n := diag.Pos.Line; n >= 1 && n <= len(lines[file]) && len(d.Sources[file]) > 0 {
			renderSource(out, diag, d.starred(lines[file][n-1]), color)
		} else if diag.Suggestion != "" {
			fmt.Fprintf(out, "      = %s\n", printable(diag.Suggestion))
		}
	}
	if more := d.unrendered(); more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
	return out.Flush()
}

// starred is a source line with stars in the place of secrets that are written in the file itself: those that the decoder has seen, and what is one by the name of its
// key, since not all of a faulty file is decoded. Each character stays one, so that the caret stands where it should.
func (d *Decoder) starred(line string) string {
	for _, m := range d.secrets {
		if strings.Contains(line, m.secret) {
			line = strings.ReplaceAll(line, m.secret, strings.Repeat("*", utf8.RuneCountInString(m.secret)))
		}
	}
	return hideSecrets(line)
}

// Source returns what a log shows of a diagnostic's source: the line with the token between arrows, without what is a secret by the name of its key. It is "" where there is none.
func (d *Decoder) Source(diag Diagnostic) string {
	lines := strings.Split(string(d.Sources[diag.Pos.File]), "\n")
	if diag.Pos.Line < 1 || diag.Pos.Line > len(lines) || len(d.Sources[diag.Pos.File]) == 0 {
		return ""
	}
	before, token, after := cut(d.starred(strings.TrimSuffix(lines[diag.Pos.Line-1], "\r")), diag.Pos.Column-1, max(diag.Width, 1))
	return strings.TrimSpace(printable(before + ">>" + token + "<<" + after))
}

// unrendered is how many diagnostics are not shown.
func (d *Decoder) unrendered() int {
	return max(len(d.Diagnostics)-renderedMax, 0) + d.Dropped
}

func renderHead(out *bufio.Writer, diag Diagnostic, color bool) {
	if diag.Pos.File != "" {
		fmt.Fprintf(out, "%s:", printable(diag.Pos.File))
		if diag.Pos.Line > 0 {
			fmt.Fprintf(out, "%d:%d:", diag.Pos.Line, diag.Pos.Column)
		}
		out.WriteByte(' ')
	}
	on, off := tint(diag.Severity, color)
	fmt.Fprintf(out, "%s%s[%s]%s: %s\n", on, diag.Severity, diag.Code, off, printable(diag.Text))
}

func tint(s Severity, color bool) (on, off string) {
	switch {
	case !color:
		return "", ""
	case s == Warning:
		return yellow, plain
	}
	return red, plain
}

// renderSource prints the source line and the caret below the token.
func renderSource(out *bufio.Writer, diag Diagnostic, line string, color bool) {
	before, token, after := cut(strings.TrimSuffix(line, "\r"), diag.Pos.Column-1, max(diag.Width, 1))
	gutter, end := "", ""
	if color {
		gutter, end = dim, plain
	}
	fmt.Fprintf(out, "%s%5d |%s %s\n", gutter, diag.Pos.Line, end, printable(before+token+after))
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, printable(before))
	on, off := tint(diag.Severity, color)
	carets := strings.Repeat("^", max(len([]rune(printable(token))), 1))
	fmt.Fprintf(out, "%s      |%s %s%s%s%s", gutter, end, pad, on, carets, off)
	if diag.Suggestion != "" {
		out.WriteByte(' ')
		out.WriteString(printable(diag.Suggestion))
	}
	out.WriteByte('\n')
}

// literalSecret finds values of settings and fields that are keys or passwords by their names.
var literalSecret = regexp.MustCompile(`(?i)(?:authorization|api[-_]?key|token|secret|password|passwd|\bkey)["']?\s*:\s*("[^"$]{6,}"|'[^'$]{6,}'|[^\s,{}\[\]#"'$/.][^,{}\[\]#$/.]{4,}[^\s,{}\[\]#$/.])`)

// hideSecrets masks what is a secret by the name of its key: source lines go to logs, too. What ${…} fills in is not in them at all.
func hideSecrets(line string) string {
	var out strings.Builder
	end := 0
	for _, at := range literalSecret.FindAllStringSubmatchIndex(line, -1) {
		if strings.Trim(line[at[2]:at[3]], `"'`) == hidden {
			continue
		}
		out.WriteString(line[end:at[2]])
		out.WriteString(strings.Repeat("*", utf8.RuneCountInString(line[at[2]:at[3]])))
		end = at[3]
	}
	return out.String() + line[end:]
}

// cut splits a line into what stands before the token, the token, and what follows, shortened to about sourceMax characters.
func cut(line string, column, width int) (before, token, after string) {
	start := byteIndex(line, column)
	end := start + byteIndex(line[start:], width)
	if utf8.RuneCountInString(line) <= sourceMax {
		return line[:start], line[start:end], line[end:]
	}
	from := byteIndex(line, max(column-sourceMax/4, 0))
	to := from + byteIndex(line[from:], sourceMax)
	end = min(end, to)
	if from > 0 {
		before = "…"
	}
	if to < len(line) {
		after = "…"
	}
	return before + line[from:start], line[start:end], line[end:to] + after
}

// byteIndex is where the character with the given number, from 0 on, begins in s; at most len(s).
func byteIndex(s string, runes int) int {
	i := 0
	for ; runes > 0 && i < len(s); runes-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

// printable makes text safe for a terminal: what is not printed as itself is written as an escape.
func printable(s string) string {
	safe := func(r rune) bool { return r == '\t' || unicode.IsPrint(r) && r != unicode.ReplacementChar }
	if strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == unicode.ReplacementChar:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case safe(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

// A report is the form of the diagnostics for editors and CI.
type report struct {
	Diagnostics []jsonDiagnostic `json:"diagnostics"`
	More        int              `json:"more,omitempty"`
}

// jsonDiagnostic is a Diagnostic with the names that the JSON form has.
type jsonDiagnostic struct {
	Severity   string `json:"severity"`
	Code       string `json:"code"`
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	EndColumn  int    `json:"end_column,omitempty"`
	Text       string `json:"text"`
	Suggestion string `json:"suggestion,omitempty"`
}

// RenderJSON writes the diagnostics as one JSON object: {"diagnostics": [{severity, code, file, line, column, end_column, text, suggestion}], "more": n}.
func (d *Decoder) RenderJSON(w io.Writer) error {
	d.Sort()
	r := report{Diagnostics: []jsonDiagnostic{}, More: d.unrendered()}
	for _, diag := range d.Diagnostics[:min(len(d.Diagnostics), renderedMax)] {
		j := jsonDiagnostic{diag.Severity.String(), diag.Code, diag.Pos.File, diag.Pos.Line, diag.Pos.Column, 0, diag.Text, diag.Suggestion}
		if j.Line > 0 {
			j.EndColumn = j.Column + max(diag.Width, 1)
		}
		r.Diagnostics = append(r.Diagnostics, j)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
