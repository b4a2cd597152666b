package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// explain turns an error of the YAML library into a diagnostic in the words of a user, at the place where the fault is and not where it was noticed.
func (r *reader) explain(err error) Diagnostic {
	var fault *yaml.LoadError
	if !errors.As(err, &fault) || fault.Mark.Line < 1 {
		return Diagnostic{Code: "syntax", Pos: Pos{r.file, 1, 1}, Width: 1, Text: "this file can't be read as YAML: " + err.Error()}
	}
	seen := r.clamp(fault.Mark)
	begun := seen
	if fault.ContextMark.Line > 0 {
		begun = r.clamp(fault.ContextMark)
	}
	if tab, ok := r.leadingTab(seen.Line); ok {
		return Diagnostic{Code: "tab", Pos: tab, Width: 1, Text: "a tab in the indentation: YAML is indented with spaces", Suggestion: "use spaces"}
	}
	diag := r.words(fault, seen, begun)
	diag.Code = "syntax"
	diag.Width = max(diag.Width, 1)
	return diag
}

// clamp moves a mark behind the end of the file to the end of the last line that holds something.
func (r *reader) clamp(m yaml.Mark) Pos {
	if m.Line <= len(r.lines) && strings.TrimSpace(strings.Join(r.lines[m.Line-1:], "")) != "" {
		return Pos{r.file, m.Line, max(m.Column, 1)}
	}
	line := min(m.Line, len(r.lines))
	for line > 1 && strings.TrimSpace(r.lines[line-1]) == "" {
		line--
	}
	return Pos{r.file, line, utf8.RuneCountInString(strings.TrimRight(r.lines[line-1], " \t\r")) + 1}
}

// leadingTab finds a tab in the indentation of a line.
func (r *reader) leadingTab(line int) (Pos, bool) {
	text := r.lines[line-1]
	if i := strings.IndexByte(text[:indent(text)], '\t'); i >= 0 && strings.TrimSpace(text) != "" {
		return Pos{r.file, line, i + 1}, true
	}
	return Pos{}, false
}

// words says what the library's message means. seen is where it noticed the fault, begun where the construct began.
func (r *reader) words(fault *yaml.LoadError, seen, begun Pos) Diagnostic {
	switch fault.Message {
	case "found character that cannot start any token":
		return r.badStart(seen)
	case "mapping values are not allowed in this context":
		return r.secondColon(seen)
	case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
		return r.unclosed(fault, seen, begun)
	case "could not find expected ':'":
		return r.noColon(begun)
	case "did not find expected key":
		return r.noKey(seen)
	case "did not find expected '-' indicator":
		return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: "items of a list and keys of a map can't be mixed at the same indentation"}
	case "found unexpected end of stream", "found unexpected document indicator":
		return Diagnostic{Pos: begun, Text: "this quote is not closed"}
	case "found unknown escape character", "found invalid Unicode character escape code", "did not find expected hexdecimal number", "did not find expected hexadecimal number":
		return Diagnostic{Pos: seen, Width: 2, Text: `this backslash begins no escape that YAML knows`, Suggestion: `use single quotes, or \\ for a backslash`}
	case "did not find expected node content":
		return Diagnostic{Pos: seen, Text: "a value is missing here"}
	case "did not find expected <document start>":
		return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: "something follows the end of the configuration"}
	}
	return r.otherWords(fault, seen, begun)
}

// otherWords is words for messages that carry a name or a number.
func (r *reader) otherWords(fault *yaml.LoadError, seen, begun Pos) Diagnostic {
	if strings.HasPrefix(fault.Message, "unknown anchor '") {
		width := r.wordWidth(seen)
		word := string([]rune(r.rest(seen))[:width])
		text := word + " is an alias in YAML, and no anchor has this name"
		return Diagnostic{Pos: seen, Width: width, Text: text, Suggestion: fmt.Sprintf("put it in quotes: %q", word)}
	}
	if fault.ContextMsg == "while scanning an alias" || fault.ContextMsg == "while scanning an anchor" {
		text := fmt.Sprintf("%.1q begins an alias or an anchor in YAML, and its name is missing", r.rest(begun))
		return Diagnostic{Pos: begun, Text: text, Suggestion: "put the value in quotes"}
	}
	if strings.HasPrefix(fault.Message, "exceeded max depth") {
		return Diagnostic{Pos: seen, Text: fmt.Sprintf("nested deeper than %d levels", depthMax)}
	}
	text := fault.Message
	if fault.ContextMsg != "" {
		text = fault.ContextMsg + ": " + text
	}
	return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: "this is not valid YAML: " + text}
}

// secondColon is for ": " where a value is: in the line of a value, or in a line that YAML takes for the rest of the value above it.
func (r *reader) secondColon(seen Pos) Diagnostic {
	diag := Diagnostic{Pos: seen, Text: `a value can't hold ": "`, Suggestion: "put the value in quotes"}
	above := seen.Line - 1
	for above > 0 && strings.TrimSpace(r.lines[above-1]) == "" {
		above--
	}
	line := r.lines[seen.Line-1]
	first := strings.Index(line+" ", ": ")
	if above == 0 || first < 0 || utf8.RuneCountInString(line[:first])+1 != seen.Column || indent(line) < indent(r.lines[above-1]) {
		return diag
	}
	if upper := r.lines[above-1]; !strings.Contains(upper+" ", ": ") {
		return r.noColon(Pos{r.file, above, indent(upper) + 1})
	}
	if indent(line) == indent(r.lines[above-1]) {
		return diag
	}
	start := Pos{r.file, seen.Line, indent(line) + 1}
	text := "this line is indented as if it belonged to the value above it"
	return Diagnostic{Pos: start, Width: r.wordWidth(start), Text: text, Suggestion: fmt.Sprintf("indent it like line %d", above)}
}

// badStart is for a character that begins no value.
func (r *reader) badStart(seen Pos) Diagnostic {
	c, _ := utf8.DecodeRuneInString(r.rest(seen))
	if c == '\t' {
		return Diagnostic{Pos: seen, Text: "a tab here: YAML is indented with spaces", Suggestion: "use spaces"}
	}
	return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: fmt.Sprintf("a value can't begin with %q", string(c)), Suggestion: "put it in quotes"}
}

// unclosed is for a flow list or map that does not go on: on the same line something is missing, on a later one it was not closed.
func (r *reader) unclosed(fault *yaml.LoadError, seen, begun Pos) Diagnostic {
	end := strings.TrimSuffix(strings.TrimPrefix(fault.Message, "did not find expected ',' or '"), "'")
	if seen.Line == begun.Line && strings.TrimSpace(r.rest(seen)) != "" {
		diag := Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: fmt.Sprintf(`a comma or %q is missing here`, end)}
		if strings.Contains(r.lines[seen.Line-1], "${") {
			diag.Suggestion = "put ${…} in quotes here"
		}
		return diag
	}
	if r.closes(begun, seen) {
		return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: "a comma is missing before this"}
	}
	return Diagnostic{Pos: begun, Text: fmt.Sprintf("this is not closed: %q is missing", end)}
}

// closes reports whether the bracket at begun is closed somewhere behind seen: then something is missing at seen. Brackets in quotes don't count.
func (r *reader) closes(begun, seen Pos) bool {
	depth := 0
	var quote byte
	text := r.rest(begun)
	for line := begun.Line; ; text = r.lines[line-1] {
		for i := range len(text) {
			if text[i] == '#' && quote == 0 && i > 0 && text[i-1] == ' ' {
				break // what follows is a comment
			}
			switch c := text[i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				depth--
			}
			if depth == 0 && quote == 0 {
				return line >= seen.Line
			}
		}
		if line++; line > len(r.lines) {
			return false
		}
	}
}

// noColon is for a line of a map without ": ".
func (r *reader) noColon(begun Pos) Diagnostic {
	diag := Diagnostic{Pos: begun, Width: r.wordWidth(begun), Text: `": " is missing after this key`}
	if above := begun.Line - 1; above > 0 && strings.HasPrefix(strings.TrimLeft(r.lines[above-1], " "), "- ") && indent(r.lines[above-1]) == begun.Column-1 {
		diag.Text, diag.Suggestion = "a hyphen is missing before this item", fmt.Sprintf("did you mean %q?", "- "+strings.TrimRight(r.rest(begun), " "))
		return diag
	}
	if rest := r.rest(begun); strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "/*") {
		diag.Text, diag.Suggestion = "this is no setting", "a comment begins with #"
		return diag
	} else if key, value, found := strings.Cut(rest, "="); found {
		diag.Suggestion = fmt.Sprintf("did you mean %q?", strings.TrimSpace(key)+": "+strings.TrimSpace(value))
		return diag
	}
	if key, value, found := strings.Cut(r.rest(begun), ":"); found && value != "" {
		diag.Suggestion = fmt.Sprintf("a space belongs after the colon: %q", key+": "+strings.TrimSpace(value))
	}
	return diag
}

// noKey is for something in a block map that is no key: a wrong indentation, or text behind a value.
func (r *reader) noKey(seen Pos) Diagnostic {
	line := r.lines[seen.Line-1]
	if strings.HasPrefix(r.rest(seen), "- ") && seen.Column <= indent(line)+1 {
		return Diagnostic{Pos: seen, Text: "an item of a list can't stand among the keys of a map", Suggestion: "indent it below the key that it belongs to, or take the hyphen away"}
	}
	if before := indent(line); seen.Column <= before+1 {
		text := "this line's indentation fits nothing above it"
		return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: text, Suggestion: "indent it like the lines that it belongs to"}
	}
	return Diagnostic{Pos: seen, Width: r.wordWidth(seen), Text: "something follows a value that had ended", Suggestion: "put the whole value in quotes"}
}

// wordWidth counts the characters at pos up to a blank or a sign of YAML.
func (r *reader) wordWidth(pos Pos) int {
	rest := r.rest(pos)
	if i := strings.IndexAny(rest, " \t,]}"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.Index(rest+" ", ": "); i > 0 {
		rest = rest[:i]
	}
	rest = strings.TrimSuffix(rest, ":")
	return max(utf8.RuneCountInString(rest), 1)
}
