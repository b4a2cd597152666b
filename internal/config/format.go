package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Format returns the text of a configuration file in the layout that all of them have: two spaces for each level, items of lists indented below their key, one
// blank between tokens, at most one empty line in a row. Keys keep their order, values their quotes, and what stands in brackets on one line stays there; brackets over
// several lines become indented. Comments are kept, each before or behind what it stands at. A file that has a fault of syntax, which goes to d, gives nil.
//
// The result is read again: it is returned only if it says the same, with the same comments.
func Format(d *Decoder, file string, text []byte) []byte {
	src := Source{
		ReadFile: func(name string) ([]byte, error) {
			if name == file {
				return text, nil
			}
			return nil, nil // what ${file:…} names does not matter here
		},
		Getenv: func(string) (string, bool) { return "", true },
	}
	root := d.Parse(src, file)
	if root != nil && root.Kind == Scalar {
		d.notMap(root)
	}
	if d.Failed() {
		return nil
	}
	plain := strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n")
	if looksJSON(file, plain) {
		var out bytes.Buffer
		if json.Indent(&out, []byte(strings.TrimSpace(plain)), "", "  ") != nil {
			return nil
		}
		return append(out.Bytes(), '\n')
	}
	doc, _, err := compose(plain)
	if err != nil || root == nil && !isBlank(plain) {
		return unformatted(d, file)
	}
	f := newFormatter(plain, doc)
	f.document(doc)
	out := strings.TrimLeft(f.out.String(), "\n")
	again, _, err := compose(out)
	if err != nil || f.lost || !sameYAML(doc, again) || !slices.Equal(commentTexts(f.comments), commentTexts(newFormatter(out, again).comments)) {
		return unformatted(d, file)
	}
	return []byte(out)
}

// isBlank reports whether a text has nothing but comments and signs of documents.
func isBlank(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "---" && line != "..." {
			return false
		}
	}
	return true
}

// unformatted reports that a file is beyond what Format can do. It stays as it is.
func unformatted(d *Decoder, file string) []byte {
	d.Report(Diagnostic{Code: "not-formatted", Pos: Pos{file, 1, 1}, Text: "this file can't be brought into another layout without changing what it says"})
	return nil
}

// sameYAML reports whether two trees say the same, with the same quotes around what might be something else.
func sameYAML(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Value != b.Value && !isNull(a) || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) || isNull(a) != isNull(b) {
		return false
	}
	if a.Kind == yaml.ScalarNode && (a.Style&quotedStyle != 0) != (b.Style&quotedStyle != 0) {
		return false
	}
	for i := range a.Content {
		if !sameYAML(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// A formatter writes a tree in the order of its source, and the comments between its tokens.
type formatter struct {
	reader   reader   // of the source
	lines    []string // of the source
	comments []comment
	next     int // the comment that is written next
	seen     int // the last line of the source that something was written of
	out      strings.Builder
	first    bool // nothing has been written in this block
	lost     bool // something can't be written
}

func newFormatter(text string, doc *yaml.Node) *formatter {
	f := &formatter{lines: strings.Split(text, "\n"), first: true}
	f.reader.lines = f.lines
	f.comments = findComments(&f.reader, doc)
	return f
}

func (f *formatter) document(doc *yaml.Node) {
	if doc != nil {
		f.before(doc.Line, 0)
		f.lost = doc.Anchor != ""
		switch {
		case f.isInline(doc):
			f.line(0, f.inline(doc), doc.Line, f.end(doc), len(f.lines)+1)
		case doc.Kind == yaml.MappingNode:
			f.mapping(doc, 0, len(f.lines)+1, false)
		default:
			f.sequence(doc, 0, len(f.lines)+1, false)
		}
	}
	f.before(len(f.lines)+1, 0)
}

// before writes the comments above a line of the source, indented, and an empty line where the source has one.
func (f *formatter) before(line, indent int) {
	for f.next < len(f.comments) && f.comments[f.next].line < line {
		f.comment(indent)
	}
	f.gap(line)
}

// after writes the comments at the end of y, above the line that follows it: those that are not further left than y, or in its brackets.
func (f *formatter) after(y *yaml.Node, indent, limit int) {
	column := y.Column
	if y.Style&yaml.FlowStyle != 0 {
		column, limit = 0, min(limit, f.end(y))
	}
	for f.next < len(f.comments) && f.comments[f.next].line < limit && (f.comments[f.next].column >= column || !f.comments[f.next].alone) {
		f.comment(indent)
	}
}

func (f *formatter) comment(indent int) {
	c := f.comments[f.next]
	f.next++
	f.gap(c.line)
	f.out.WriteString(strings.Repeat(" ", indent) + c.text + "\n")
	f.first, f.seen = false, max(f.seen, c.line)
}

// gap writes an empty line if there is one above that line of the source, but not at the beginning of a block.
func (f *formatter) gap(line int) {
	if line > f.seen+1 && !f.first && line <= len(f.lines) && line >= 2 && strings.TrimSpace(f.lines[line-2]) == "" {
		f.out.WriteByte('\n')
		f.seen = line - 1
	}
}

// line writes one line, which stands for the lines from first to last of the source, with the comment behind it. Further tokens begin at the line limit.
func (f *formatter) line(indent int, text string, first, last, limit int) {
	f.out.WriteString(strings.Repeat(" ", indent) + text)
	if f.next < len(f.comments) {
		if c := f.comments[f.next]; !c.alone && c.line >= first && c.line <= last && c.line < limit {
			f.out.WriteString(" " + c.text)
			f.next++
		}
	}
	f.out.WriteByte('\n')
	f.first, f.seen = false, max(f.seen, last)
}

// mapping writes a map in indented form. limit is the line of the source at which something else begins; hyphen says that one stands before the first key.
func (f *formatter) mapping(y *yaml.Node, indent, limit int, hyphen bool) {
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		until := limit
		if i+2 < len(y.Content) {
			until = y.Content[i+2].Line
		}
		lead := ""
		if hyphen && i == 0 {
			lead = "- "
		}
		f.entry(lead+f.inline(key)+":", key, value, indent, until)
	}
	f.after(y, indent, limit)
}

// entry writes a key, which is text with what stands before it, and its value.
func (f *formatter) entry(text string, key, value *yaml.Node, indent, limit int) {
	at := indent
	if strings.HasPrefix(text, "- ") {
		at -= len("- ")
	}
	if f.isInline(value) {
		last := f.end(value)
		if value.Style&blockStyle != 0 {
			last = value.Line // its comment stands behind its sign
		}
		f.before(f.commented(key.Line, last), at)
		f.gap(key.Line)
		if written := f.inline(value); written != "" {
			text += " " + written
		}
		f.line(at, text, last, last, limit)
		f.blockText(value, indent+2)
		return
	}
	f.before(key.Line, at)
	if value.Anchor != "" {
		text += " &" + value.Anchor
	}
	f.line(at, text, key.Line, key.Line, value.Content[0].Line)
	f.block(value, indent+2, limit)
}

// block writes a map or list below its key.
func (f *formatter) block(y *yaml.Node, indent, limit int) {
	f.first = true
	if y.Kind == yaml.MappingNode {
		f.mapping(y, indent, limit, false)
		return
	}
	f.sequence(y, indent, limit, false)
}

// sequence writes a list in indented form; see mapping.
func (f *formatter) sequence(y *yaml.Node, indent, limit int, hyphen bool) {
	for i, item := range y.Content {
		until := limit
		if i+1 < len(y.Content) {
			until = y.Content[i+1].Line
		}
		lead, at := "-", indent
		if hyphen && i == 0 {
			lead, at = "- -", indent-2
		}
		f.item(lead, item, indent, at, until)
	}
	f.after(y, indent, limit)
}

// item writes one item of a list at an indentation, where lead is its hyphen, and at how far that is indented.
func (f *formatter) item(lead string, item *yaml.Node, indent, at, limit int) {
	switch {
	case f.isInline(item):
		last := f.end(item)
		if item.Style&blockStyle != 0 {
			last = item.Line
		}
		f.before(f.commented(item.Line, last), at)
		f.gap(item.Line)
		text := lead
		if written := f.inline(item); written != "" {
			text += " " + written
		}
		f.line(at, text, last, last, limit)
		f.blockText(item, indent+2)
	case item.Anchor != "" || lead != "-":
		f.before(item.Line, at)
		if item.Anchor != "" {
			lead += " &" + item.Anchor
		}
		f.line(at, lead, item.Line, item.Line, item.Content[0].Line)
		f.block(item, indent+2, limit)
	case item.Kind == yaml.MappingNode:
		f.before(item.Content[0].Line, at)
		f.mapping(item, indent+2, limit, true)
	default:
		f.before(item.Line, at)
		f.sequence(item, indent+2, limit, true)
	}
}

// commented returns the line above which comments are written before a token: last, if there are any in between, else first, so that an empty line is looked for there.
func (f *formatter) commented(first, last int) int {
	if f.next < len(f.comments) && f.comments[f.next].line < last {
		return last
	}
	return first
}

// isInline reports whether y is written in the line of its key: a scalar, an alias, and brackets on one line.
func (f *formatter) isInline(y *yaml.Node) bool {
	if y.Kind == yaml.ScalarNode || y.Kind == yaml.AliasNode || len(y.Content) == 0 {
		return true
	}
	return y.Style&yaml.FlowStyle != 0 && f.end(y) == y.Line
}

// inline returns y in one line; of a block of text the sign that begins it.
func (f *formatter) inline(y *yaml.Node) string {
	text := ""
	switch {
	case y.Kind == yaml.AliasNode:
		return "*" + y.Value
	case y.Kind == yaml.ScalarNode:
		text = f.scalar(y)
	case y.Kind == yaml.MappingNode:
		var all []string
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := f.inline(y.Content[i])
			if y.Content[i].Kind == yaml.AliasNode {
				key += " "
			}
			all = append(all, key+": "+f.inFlow(y.Content[i+1]))
		}
		text = "{}"
		if len(all) > 0 {
			text = "{ " + strings.Join(all, ", ") + " }"
		}
	default:
		var all []string
		for _, item := range y.Content {
			all = append(all, f.inFlow(item))
		}
		text = "[" + strings.Join(all, ", ") + "]"
	}
	if y.Anchor != "" {
		text = strings.TrimSuffix("&"+y.Anchor+" "+text, " ")
	}
	return text
}

// inFlow is inline for what stands in brackets, where nothing can't stand.
func (f *formatter) inFlow(y *yaml.Node) string {
	if text := f.inline(y); text != "" {
		return text
	}
	return "null"
}

// scalar returns a scalar as the source has it. Quotes that go on in a further line become double ones in one line.
func (f *formatter) scalar(y *yaml.Node) string {
	from, to := startOf(&f.reader, y), endOf(&f.reader, y)
	switch {
	case y.Style&blockStyle != 0:
		return f.blockSign(y)
	case y.Style&quotedStyle == 0:
		return y.Value
	case to.line == from.line:
		return f.lines[from.line-1][from.at:to.at]
	}
	return strconv.Quote(y.Value)
}

// valueAt returns the line of the source from y on, without its anchor.
func (f *formatter) valueAt(y *yaml.Node) string {
	return f.reader.valueAt(Pos{Line: y.Line, Column: y.Column})
}

// blockSign returns the sign that begins a block of text, which is written in quotes if how far it is indented can't be told from its first line.
func (f *formatter) blockSign(y *yaml.Node) string {
	sign, _, _ := strings.Cut(f.valueAt(y), " ")
	if strings.Trim(sign, "|>+-") != "" || strings.HasPrefix(y.Value, " ") || strings.HasPrefix(y.Value, "\n") || strings.HasSuffix(y.Value, "\n\n") || strings.Contains(y.Value, "\t") || y.Value == "" {
		return strconv.Quote(y.Value)
	}
	return sign
}

// blockText writes the lines of a block of text, if y is one.
func (f *formatter) blockText(y *yaml.Node, indent int) {
	if y.Kind != yaml.ScalarNode || y.Style&blockStyle == 0 || strings.HasPrefix(f.blockSign(y), `"`) {
		return
	}
	first, last := blockLines(f.lines, y)
	for _, line := range f.lines[first-1 : last] {
		if strings.TrimSpace(line) == "" {
			f.out.WriteByte('\n')
			continue
		}
		f.out.WriteString(strings.Repeat(" ", indent) + line[min(indentOf(f.lines[first-1]), len(line)):] + "\n")
	}
	f.seen = max(f.seen, last)
}

// end is the line of the source in which y ends.
func (f *formatter) end(y *yaml.Node) int {
	return endOf(&f.reader, y).line
}
