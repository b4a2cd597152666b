package config

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// quotedStyle are the styles whose text is never null, a number or a bool.
const quotedStyle = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// blockStyle are the styles that begin with | or >.
const blockStyle = yaml.LiteralStyle | yaml.FoldedStyle

func newLoader(text string) (*yaml.Loader, error) {
	return yaml.NewLoader(strings.NewReader(text), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(depthMax))))
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// convert makes a Node of y, which stands at the given depth. What can't be used becomes Null and a diagnostic.
func (r *reader) convert(y *yaml.Node, depth int) (*Node, extent) {
	n := &Node{Pos: Pos{r.file, y.Line, y.Column}}
	n.Width = r.width(y)
	if y.Kind == yaml.AliasNode {
		return r.alias(y, n, depth)
	}
	if y.Style&yaml.TaggedStyle != 0 || y.Tag == "!" {
		r.d.Hintf(n, "syntax", "leave it out", "tags are not used here")
	}
	if y.Anchor != "" {
		r.anchors[y] = anchored{}
	}
	n.flow = y.Style&yaml.FlowStyle != 0
	size := extent{nodes: 1, depth: 1}
	switch y.Kind {
	case yaml.MappingNode:
		r.mapping(y, n, depth, &size)
	case yaml.SequenceNode:
		n.Kind = List
		for _, item := range y.Content {
			child, e := r.convert(item, depth+1)
			size.add(e)
			n.Items = append(n.Items, child)
		}
	case yaml.ScalarNode:
		r.scalar(y, n, depth)
	}
	if y.Anchor != "" {
		r.anchors[y] = anchored{n, size}
	}
	return n, size
}

// alias returns the node that y points to: it is shared, since nodes do not change.
func (r *reader) alias(y *yaml.Node, n *Node, depth int) (*Node, extent) {
	target := r.anchors[y.Alias]
	r.aliased += target.nodes
	switch {
	case target.node == nil:
		r.d.Errorf(n, "alias", "alias %q holds itself", "*"+y.Value)
	case depth+target.depth > depthMax:
		r.d.Errorf(n, "alias", "with this alias the file is nested deeper than %d levels", depthMax)
	case r.aliased > aliasedMax:
		r.d.Errorf(n, "alias", "aliases may repeat %d values in all; this one goes beyond", aliasedMax)
	default:
		return target.node, target.extent
	}
	return n, extent{1, 1}
}

// scalar fills n from a scalar at the given depth.
func (r *reader) scalar(y *yaml.Node, n *Node, depth int) {
	if isNull(y) {
		return
	}
	n.Kind, n.Value, n.Quoted = Scalar, y.Value, y.Style&quotedStyle != 0
	if strings.ContainsRune(n.Value, garbled) && r.garbled {
		r.d.spoil(n) // what is wrong with its bytes has been said
	}
	switch rest := r.valueAt(n.Pos); {
	case n.Quoted || depth == 0 || strings.HasPrefix(rest, n.Value):
	case strings.HasPrefix(rest, "-"):
		r.d.Hintf(n, "syntax", fmt.Sprintf("write %q", "- "+strings.TrimLeft(rest, "-")), "a space belongs after the hyphen")
	default:
		r.d.Hintf(n, "multi-line", "put it on one line, or in quotes", "this value goes on in the next line")
	}
	r.expand(n)
}

// mapping fills n from a map.
func (r *reader) mapping(y *yaml.Node, n *Node, depth int, size *extent) {
	n.Kind = Map
	n.Entries = make([]Entry, 0, len(y.Content)/2)
	keys := make(map[string]*Node, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, ok := r.key(y.Content[i])
		value, e := r.convert(y.Content[i+1], depth+1)
		size.add(e)
		if !ok {
			n.gap = true
			continue
		}
		if first := keys[key.Value]; first != nil {
			r.duplicate(key, first)
			continue
		}
		keys[key.Value] = key
		if value.Kind == Null && y.Content[i+1].Kind == yaml.ScalarNode {
			value.Pos, value.Width = key.Pos, key.Width
		}
		n.Entries = append(n.Entries, Entry{key, value})
	}
	if y.Style&yaml.FlowStyle == 0 && len(y.Content) > 0 {
		n.Width = r.width(y.Content[0])
	}
}

func (r *reader) duplicate(key, first *Node) {
	r.d.Errorf(key, "duplicate-key", "%q is set twice: first %s", key.Value, key.other(first))
}

// key makes the node of a map's key, and reports whether it can be one.
func (r *reader) key(y *yaml.Node) (*Node, bool) {
	alias := y.Kind == yaml.AliasNode
	n := &Node{Kind: Scalar, Pos: Pos{r.file, y.Line, y.Column}, Value: y.Value, Quoted: y.Style&quotedStyle != 0, Width: r.width(y)}
	if r.garbled && strings.ContainsRune(y.Value, garbled) {
		return n, false
	}
	switch {
	case alias || y.Kind != yaml.ScalarNode:
		r.d.Errorf(n, "bad-key", "a key is a plain word, not a list, a map or an alias")
	case isNull(y):
		r.d.Errorf(n, "bad-key", "a key is missing before the colon")
	case y.Value == "<<" && !n.Quoted:
		r.d.Hintf(n, "bad-key", "write what several sites share into defaults", `merge keys ("<<") are not part of YAML 1.2`)
	case strings.Contains(y.Value, "${"):
		r.d.Errorf(n, "bad-key", "${…} is filled in in values only")
	case strings.IndexFunc(y.Value, isControl) >= 0:
		r.d.Errorf(n, "bad-key", "a control character in a key")
	default:
		if y.Anchor != "" {
			r.anchors[y] = anchored{n, extent{1, 1}}
		}
		return n, true
	}
	return n, false
}

// rest returns the source line from pos on. It goes on from where it was asked last, so that a long line is walked once.
func (r *reader) rest(pos Pos) string {
	if pos.Line < 1 || pos.Line > len(r.lines) {
		return ""
	}
	line := r.lines[pos.Line-1]
	if r.last.Line != pos.Line || r.last.Column > pos.Column {
		r.last, r.lastOffset = Pos{Line: pos.Line, Column: 1}, 0
	}
	for ; r.last.Column < pos.Column; r.last.Column++ {
		_, size := utf8.DecodeRuneInString(line[r.lastOffset:])
		r.lastOffset += size
	}
	return strings.TrimSuffix(line[r.lastOffset:], "\r")
}

// valueAt is rest without an anchor or a tag before the value.
func (r *reader) valueAt(pos Pos) string {
	rest := r.rest(pos)
	for strings.HasPrefix(rest, "&") || strings.HasPrefix(rest, "!") {
		_, after, found := strings.Cut(rest, " ")
		if !found {
			return rest
		}
		rest = strings.TrimLeft(after, " ")
	}
	return rest
}

// width is how many characters y takes on its line: the whole of a scalar, the first character of the rest.
func (r *reader) width(y *yaml.Node) int {
	rest := r.rest(Pos{r.file, y.Line, y.Column})
	value := r.valueAt(Pos{r.file, y.Line, y.Column})
	before := utf8.RuneCountInString(rest[:len(rest)-len(value)])
	switch {
	case y.Kind == yaml.AliasNode:
		return 1 + utf8.RuneCountInString(y.Value)
	case y.Kind != yaml.ScalarNode || y.Style&blockStyle != 0:
		return 1
	case y.Style&yaml.DoubleQuotedStyle != 0:
		return before + quotedWidth(value, '"')
	case y.Style&yaml.SingleQuotedStyle != 0:
		return before + quotedWidth(value, '\'')
	case strings.HasPrefix(value, y.Value):
		return before + utf8.RuneCountInString(y.Value)
	}
	return utf8.RuneCountInString(strings.TrimRight(rest[:min(len(rest), sourceMax)], " \t"))
}

// quotedWidth counts the characters from the opening quote to the closing one, or to the end of the line.
func quotedWidth(s string, quote byte) int {
	end := 1
	for ; end < len(s); end++ {
		switch {
		case s[end] == '\\' && quote == '"':
			end++
		case s[end] == quote && quote == '\'' && end+1 < len(s) && s[end+1] == quote:
			end++
		case s[end] == quote:
			return utf8.RuneCountInString(s[:end+1])
		}
	}
	return utf8.RuneCountInString(s)
}

// describe names a node in a message: its text if it is short and no secret.
func describe(n *Node) string {
	switch {
	case n.Kind != Scalar:
		return n.Kind.String()
	case n.Secret:
		return "the hidden value"
	case utf8.RuneCountInString(n.Value) > 60:
		return fmt.Sprintf("%q…", string([]rune(n.Value)[:60]))
	}
	return fmt.Sprintf("%q", n.Value)
}
