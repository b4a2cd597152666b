package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Limits of one file, beside fileMax.
const (
	depthMax        = 100     // levels of maps and lists
	aliasedMax      = 100_000 // nodes that aliases may add
	syntaxErrorsMax = 20      // faults of syntax that are looked for in one file
	lineFaultsMax   = 3       // characters of one line that are reported
	recoverMax      = 1 << 20 // bytes of a file that is read again after a fault of syntax
)

// A reader makes the nodes of one file.
type reader struct {
	d        *Decoder
	src      Source
	file     string
	lines    []string                // of the file, without line breaks
	anchors  map[*yaml.Node]anchored // what aliases may point to
	aliased  int                     // nodes that aliases added so far
	complete bool                    // no fault of syntax so far
	garbled  bool                    // there are garbled characters in lines

	last       Pos // where rest was asked last
	lastOffset int // of last in its line, in bytes
}

// anchored is a converted node with its extent; node is nil while it is being converted.
type anchored struct {
	node *Node
	extent
}

// extent is how large a tree is.
type extent struct {
	nodes, depth int
}

// add widens e by the extent of a child.
func (e *extent) add(child extent) {
	e.nodes += child.nodes
	e.depth = max(e.depth, child.depth+1)
}

// Parse reads one file of YAML or JSON. It returns nil if the file holds nothing that could be decoded; what is wrong goes to d.
func (d *Decoder) Parse(src Source, file string) *Node {
	text, err := src.ReadFile(file)
	if err != nil {
		d.Report(Diagnostic{Code: "cannot-read", Pos: Pos{File: file}, Text: reason(err)})
		return nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	d.keepSource(file, text)
	if len(text) > fileMax {
		d.Report(Diagnostic{Code: "too-large", Pos: Pos{File: file}, Text: fmt.Sprintf("a configuration file is at most %v", Size(fileMax))})
		return nil
	}
	clean, ok := d.checkText(file, text)
	if !ok {
		d.partial = true
	}
	r := &reader{d: d, src: src, file: file, lines: strings.Split(clean, "\n"), anchors: map[*yaml.Node]anchored{}, complete: true, garbled: !ok}
	if looksJSON(file, clean) {
		return r.json(clean)
	}
	return r.yaml(clean)
}

// keepSource notes a file's text for Render.
func (d *Decoder) keepSource(file string, text []byte) {
	if d.Sources == nil {
		d.Sources = map[string][]byte{}
	}
	d.Sources[file] = text
	d.Files = append(d.Files, file)
}

// checkText refuses what is no text: invalid UTF-8, control characters, other line breaks than \n and \r\n. It returns the text with these replaced, so that
// the rest of the file can be looked at.
func (d *Decoder) checkText(file string, text []byte) (clean string, ok bool) {
	if isWide(text) {
		d.Report(Diagnostic{Code: "encoding", Pos: Pos{file, 1, 1}, Text: "this file is UTF-16 or UTF-32; a configuration is UTF-8"})
		return "", false
	}
	if isPlain(text) {
		return string(text), true
	}
	out := make([]byte, 0, len(text))
	found, foundHere := 0, 0 // in all, and in this line
	line, column, blank := 1, 1, true
	for i := 0; i < len(text); column++ {
		r, size := utf8.DecodeRune(text[i:])
		space := blank && r != ' ' && unicode.Is(unicode.Zs, r)
		fault := textFault(r, size, text[i:])
		if space {
			fault = fmt.Sprintf("%U is no plain space: a configuration is indented with those", r)
		}
		if fault != "" && found < syntaxErrorsMax && foundHere < lineFaultsMax {
			d.Report(Diagnostic{Code: "encoding", Pos: Pos{file, line, column}, Width: 1, Text: fault})
		}
		switch {
		case fault == "":
			out = append(out, text[i:i+size]...)
		case space:
			out, found, foundHere = append(out, ' '), found+1, lineFaultsMax // the others of this indentation are not worth a message
		default:
			out, found, foundHere = utf8.AppendRune(out, garbled), found+1, foundHere+1
		}
		blank = blank && (r == ' ' || space)
		if r == '\n' {
			line, column, foundHere, blank = line+1, 0, 0, true
		}
		i += size
	}
	return string(out), found == 0
}

// isPlain reports whether text is ASCII without control characters other than tabs and line feeds. It is the quick way for most files.
func isPlain(text []byte) bool {
	for _, c := range text {
		if (c < ' ' || c >= 0x7F) && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// garbled stands for a character that can't be in a configuration, while the rest of the file is looked at.
const garbled = utf8.RuneError

// isWide reports whether text is UTF-16 or UTF-32: it has their byte order mark, or each other byte is zero at its beginning.
func isWide(text []byte) bool {
	for _, mark := range []string{"\xFE\xFF", "\xFF\xFE", "\x00\x00\xFE\xFF"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return true
		}
	}
	return len(text) >= 4 && (text[0] == 0) != (text[1] == 0) && (text[0] == 0) == (text[2] == 0) && (text[1] == 0) == (text[3] == 0)
}

// textFault says what is wrong with the character r at the beginning of rest, "" if nothing is.
func textFault(r rune, size int, rest []byte) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return fmt.Sprintf("byte %#02x is not valid UTF-8", rest[0])
	case r == '\r' && (len(rest) < 2 || rest[1] != '\n'):
		return "a carriage return without a line feed"
	case r == '\u0085' || r == '\u2028' || r == '\u2029':
		return fmt.Sprintf("line break %U: only LF and CRLF end a line", r)
	case r == '\ufeff':
		return "a byte order mark in the middle of the file"
	case r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
		return fmt.Sprintf("%U changes the direction of the text behind it, so that it is not what it seems", r)
	case r == '\u200b' || r == '\u2060':
		return fmt.Sprintf("invisible character %U", r)
	case isControl(r) && r != '\t' && r != '\n' && r != '\r':
		return fmt.Sprintf("control character %U", r)
	}
	return ""
}

// isControl reports whether r is a control character (Unicode's C0, DEL and C1).
func isControl(r rune) bool { return r < 0x20 || r >= 0x7F && r < 0xA0 }

// yaml reads text as one YAML document.
func (r *reader) yaml(text string) *Node {
	root := r.compose(text)
	if !r.complete {
		r.d.partial = true
	}
	if root == nil {
		return nil
	}
	n, _ := r.convert(root, 0)
	return n
}

// compose lets the library read text. After a fault of syntax it leaves out the lines that seem to be at fault and reads on, so that all faults are found at once.
func (r *reader) compose(text string) *yaml.Node {
	text = r.directives(text)
	for range syntaxErrorsMax {
		doc, second, err := compose(text)
		if err == nil {
			if second != nil {
				r.d.Report(Diagnostic{Code: "syntax", Pos: Pos{r.file, second.Line, 1}, Width: 3, Text: `a second document begins here; a file holds one`})
			}
			return doc
		}
		r.complete = false
		fault := r.explain(err)
		r.d.Report(fault)
		rest, ok := without(text, fault.Pos.Line)
		if !ok || len(text) > recoverMax {
			return nil
		}
		text = rest
	}
	return nil
}

// directives refuses lines such as "%YAML 1.1" before the document, and takes them out.
func (r *reader) directives(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "%"):
			pos := Pos{r.file, i + 1, 1}
			r.d.Report(Diagnostic{Code: "syntax", Pos: pos, Width: utf8.RuneCountInString(trimmed), Text: "directives are not used here", Suggestion: "leave it out"})
			lines[i] = ""
		case trimmed != "" && trimmed[0] != '#':
			return strings.Join(lines, "\n")
		}
	}
	return text
}

// compose returns the value of the first document, nil if it is empty, and the second document if there is one.
func compose(text string) (doc, second *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	loader, err := newLoader(text)
	if err != nil {
		return nil, nil, err
	}
	var nodes [2]yaml.Node
	for i := range nodes {
		if err := loader.Load(&nodes[i]); isEnd(err) {
			break
		} else if err != nil {
			return nil, nil, err
		}
	}
	if len(nodes[0].Content) == 0 || isNull(nodes[0].Content[0]) && nodes[1].Kind == 0 {
		return nil, nil, nil
	}
	if nodes[1].Kind != 0 {
		second = &nodes[1]
	}
	return nodes[0].Content[0], second, nil
}

// without replaces a line, and the lines below it that are indented deeper, by empty lines. It reports false if nothing was left to replace.
func without(text string, line int) (string, bool) {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) || strings.TrimSpace(lines[line-1]) == "" {
		return "", false
	}
	level := indent(lines[line-1])
	lines[line-1] = ""
	for i := line; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) != "" && indent(lines[i]) <= level {
			break
		}
		lines[i] = ""
	}
	return strings.Join(lines, "\n"), true
}

// indent counts the blanks before a line's text.
func indent(line string) int {
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

// isNull reports whether n is YAML's null: nothing, ~ or null, without quotes (YAML 1.2.2, section 10.3.2).
func isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style&quotedStyle != 0 {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}
