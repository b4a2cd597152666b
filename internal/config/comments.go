package config

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A comment is one of a file, from its # to the end of the line.
type comment struct {
	line, column int // in characters, from 1
	text         string
	alone        bool // nothing else stands in its line
}

func commentTexts(comments []comment) []string {
	var all []string
	for _, c := range comments {
		all = append(all, c.text)
	}
	return all
}

// An offset is a place in a text, in bytes from 0 within its line, which counts from 1.
type offset struct{ line, at int }

// A span is a part of a text that holds no comments: a scalar.
type span struct{ from, to offset }

// findComments returns the comments of a file in their order: what begins with # at the beginning of a line or behind a blank, and is in no scalar.
func findComments(r *reader, doc *yaml.Node) []comment {
	lines := r.lines
	var spans []span
	if doc != nil {
		spans = scalarSpans(r, doc, nil)
	}
	var comments []comment
	at := offset{1, 0}
	for at.line <= len(lines) {
		if len(spans) > 0 && !before(at, spans[0].from) {
			if before(at, spans[0].to) {
				at = spans[0].to
			}
			spans = spans[1:]
			continue
		}
		line := lines[at.line-1]
		until := len(line)
		if len(spans) > 0 && spans[0].from.line == at.line {
			until = min(spans[0].from.at, until)
		}
		for i := at.at; i < until; i++ {
			if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
				comments = append(comments, comment{
					at.line, utf8.RuneCountInString(line[:i]) + 1, strings.TrimRight(line[i:], " \t\r"), strings.TrimSpace(line[:i]) == "",
				})
				until = len(line)
				break
			}
		}
		if until < len(line) {
			at.at = until
			continue
		}
		at = offset{at.line + 1, 0}
	}
	return comments
}

func before(a, b offset) bool { return a.line < b.line || a.line == b.line && a.at < b.at }

// scalarSpans adds where the scalars below y stand.
func scalarSpans(r *reader, y *yaml.Node, spans []span) []span {
	if y.Kind == yaml.ScalarNode {
		from := startOf(r, y)
		switch {
		case y.Style&blockStyle != 0: // its first line may end with a comment
			first, last := blockLines(r.lines, y)
			if first <= last {
				spans = append(spans, span{offset{first, 0}, offset{last, len(r.lines[last-1])}})
			}
		case !isNull(y) || y.Value != "":
			spans = append(spans, span{from, endOf(r, y)})
		}
	}
	for _, child := range y.Content {
		spans = scalarSpans(r, child, spans)
	}
	return spans
}

// startOf returns where y begins, behind its anchor.
func startOf(r *reader, y *yaml.Node) offset {
	if y.Line < 1 || y.Line > len(r.lines) {
		return offset{y.Line, 0}
	}
	line := strings.TrimSuffix(r.lines[y.Line-1], "\r")
	return offset{y.Line, len(line) - len(r.valueAt(Pos{Line: y.Line, Column: y.Column}))}
}

// endOf returns where y ends. It is exact for scalars and brackets, and the end of the last child for the rest.
func endOf(r *reader, y *yaml.Node) offset {
	start := startOf(r, y)
	switch {
	case y.Kind == yaml.AliasNode:
		return offset{start.line, start.at + 1 + len(y.Value)}
	case y.Kind == yaml.ScalarNode && y.Style&blockStyle != 0:
		_, last := blockLines(r.lines, y)
		return offset{max(last, y.Line), 0}
	case y.Kind == yaml.ScalarNode && y.Style&quotedStyle != 0:
		return endOfQuotes(r.lines, start)
	case y.Kind == yaml.ScalarNode:
		return offset{start.line, start.at + len(y.Value)}
	}
	end := offset{start.line, start.at + 1}
	if n := len(y.Content); n > 0 {
		last := y.Content[n-1]
		if y.Kind == yaml.MappingNode && isNull(last) && last.Value == "" {
			last = y.Content[n-2] // nothing stands behind the last key
		}
		end = endOf(r, last)
	}
	if y.Style&yaml.FlowStyle != 0 {
		return endOfBrackets(r.lines, end)
	}
	return end
}

// endOfQuotes returns what follows a quoted text that begins at start.
func endOfQuotes(lines []string, start offset) offset {
	quote := lines[start.line-1][start.at]
	for at := (offset{start.line, start.at + 1}); at.line <= len(lines); at = (offset{at.line + 1, 0}) {
		line := lines[at.line-1]
		for i := at.at; i < len(line); i++ {
			switch {
			case line[i] == '\\' && quote == '"':
				i++
			case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
				i++
			case line[i] == quote:
				return offset{at.line, i + 1}
			}
		}
	}
	return offset{len(lines), len(lines[len(lines)-1])}
}

// endOfBrackets returns what follows the closing bracket behind end.
func endOfBrackets(lines []string, end offset) offset {
	for at := end; at.line <= len(lines); at = (offset{at.line + 1, 0}) {
		line := lines[at.line-1]
		for i := at.at; i < len(line); i++ {
			switch {
			case line[i] == ']' || line[i] == '}':
				return offset{at.line, i + 1}
			case line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
				i = len(line)
			}
		}
	}
	return end
}

// blockLines returns the first and the last line of a block of text; there are none if the last is before the first.
func blockLines(lines []string, y *yaml.Node) (first, last int) {
	first = y.Line + 1
	for first <= len(lines) && strings.TrimSpace(lines[first-1]) == "" {
		first++
	}
	if first > len(lines) || y.Value == "" {
		return y.Line + 1, y.Line
	}
	indent := indentOf(lines[first-1])
	if strings.Trim(y.Value, "\n ") == "" {
		return y.Line + 1, y.Line
	}
	last = first
	for i := first; i <= len(lines); i++ {
		if strings.TrimSpace(lines[i-1]) == "" {
			continue
		}
		if indentOf(lines[i-1]) < indent {
			break
		}
		last = i
	}
	return first, last
}

// indentOf counts the spaces at the beginning of a line.
func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
