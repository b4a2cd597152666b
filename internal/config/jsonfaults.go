package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// jsonStart finds the beginning of a JSON object: a brace and a key in double quotes, an end, or a comment as other programs allow it.
var jsonStart = regexp.MustCompile(`^\s*\{\s*("|\}\s*$|//|/\*)`)

// looksJSON reports whether a file is meant to be JSON. YAML reads most of it, too, but not the surrogate pairs that encoders write, and it takes commas that other
// readers of JSON refuse.
func looksJSON(file, text string) bool {
	return strings.HasSuffix(file, ".json") || jsonStart.MatchString(text)
}

// strictJSON returns text as valid JSON after all that is wrong with it has been reported. Comments and commas at the end of a list or map are taken out, so that the rest
// of the file is looked at. It reports false if something else is wrong.
func (r *reader) strictJSON(text string) (string, bool) {
	clean := []byte(text)
	comma := -1 // where the comma is that nothing has followed so far
	for i := 0; i < len(clean); i++ {
		switch c := clean[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(clean) && clean[i] != '"' && clean[i] != '\n'; i++ {
				if clean[i] == '\\' {
					i++
				}
			}
		case c == '/' || c == '#':
			r.jsonFault(text, i, commentWidth(text[i:]), "JSON has no comments", "take it away, or write the configuration as YAML")
			i += blank(clean[i:i+commentWidth(text[i:])]) - 1
		case c == ',' && comma >= 0:
			r.jsonFault(text, i, 1, "a comma too many", "take it away")
			clean[i] = ' '
		case c == ',':
			comma = i
		case (c == '}' || c == ']') && comma >= 0:
			r.jsonFault(text, comma, 1, fmt.Sprintf("JSON has no comma before %q", string(c)), "take it away")
			clean[comma], comma = ' ', -1
		case strings.IndexByte(" \t\r\n", c) < 0:
			comma = -1
		}
	}
	var into json.RawMessage
	err := json.Unmarshal(clean, &into)
	var fault *json.SyntaxError
	if errors.As(err, &fault) {
		r.jsonError(string(clean), fault)
	}
	return string(clean), err == nil
}

// commentWidth is how long the comment is that text begins with, in bytes, without the line break behind it.
func commentWidth(text string) int {
	if strings.HasPrefix(text, "/*") {
		if end := strings.Index(text, "*/"); end >= 0 {
			return end + len("*/")
		}
		return len(text)
	}
	if end := strings.IndexByte(text, '\n'); end >= 0 {
		return end
	}
	return len(text)
}

// blank replaces all but line breaks by spaces, as many as there are characters, so that places stay. It returns the length.
func blank(text []byte) int {
	for i := range text {
		if text[i] != '\n' && text[i] < utf8.RuneSelf {
			text[i] = ' '
		}
	}
	return len(text)
}

// jsonFault reports a fault at an offset of text, in bytes.
func (r *reader) jsonFault(text string, offset, width int, message, hint string) {
	offset = min(offset, len(text))
	line := strings.Count(text[:offset], "\n")
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	if end := strings.IndexByte(text[offset:], '\n'); end >= 0 {
		width = min(width, end)
	}
	r.d.partial = r.d.partial || message != "" && hint == ""
	r.d.Report(Diagnostic{
		Code: "syntax", Pos: Pos{r.file, line + 1, utf8.RuneCountInString(text[start:offset]) + 1},
		Width: max(width, 1), Text: message, Suggestion: hint,
	})
}

// jsonError says in the words of a user what the library found, at the place of the fault.
func (r *reader) jsonError(text string, fault *json.SyntaxError) {
	message := fault.Error()
	at := max(int(fault.Offset)-1, 0)
	switch {
	case message == "unexpected end of JSON input":
		open, sign := unclosedJSON(text)
		r.jsonFault(text, open, 1, fmt.Sprintf("this is not closed: %q is missing", sign), "")
	case strings.HasSuffix(message, "after object key:value pair"):
		r.jsonFault(text, at, 1, `a comma or "}" is missing before this`, "")
	case strings.HasSuffix(message, "after array element"):
		r.jsonFault(text, at, 1, `a comma or "]" is missing before this`, "")
	case strings.HasSuffix(message, "after object key"):
		r.jsonFault(text, at, 1, "a colon is missing before this", "")
	case strings.HasSuffix(message, "after top-level value"):
		r.jsonFault(text, at, 1, "something follows the end of the configuration", "")
	case strings.HasSuffix(message, "looking for beginning of object key string"):
		r.jsonFault(text, at, 1, "a key in double quotes belongs here", "")
	case strings.Contains(message, "escape"):
		r.jsonFault(text, at, 1, "this backslash begins no escape that JSON knows", "")
	case strings.HasSuffix(message, "in string literal") && at < len(text) && text[at] == '\n':
		r.jsonFault(text, strings.LastIndexByte(text[:at], '"'), 1, "this quote is not closed", "")
	case strings.HasSuffix(message, "in string literal"):
		r.jsonFault(text, at, 1, "a control character in a text", "")
	default:
		for at > 0 && at <= len(text) && strings.IndexByte(" \t\r\n:,[{", text[at-1]) < 0 {
			at--
		}
		r.jsonFault(text, at, 1, "this is no value of JSON: a text stands in double quotes; others are numbers, true, false and null", "")
	}
}

// unclosedJSON returns where the innermost list, map or text begins that text does not close, and what would close it.
func unclosedJSON(text string) (offset int, sign string) {
	var open []int
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return start, `"`
			}
		case '{', '[':
			open = append(open, i)
		case '}', ']':
			open = open[:max(len(open)-1, 0)]
		}
	}
	if len(open) == 0 {
		return 0, "}"
	}
	offset = open[len(open)-1]
	return offset, map[byte]string{'{': "}", '[': "]"}[text[offset]]
}
