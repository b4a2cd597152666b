package config

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Merged returns the tree as it is in force: what was included is in it, and sites and routes have what they inherit. It must have been read without an error.
func (c *Config) Merged() *Node {
	return c.Root.without("defaults", "include").with("sites", func(sites *Node) {
		sites.Entries = nil
		for _, s := range c.Sites {
			sites.Entries = append(sites.Entries, Entry{s.Key, s.merged()})
		}
	})
}

// merged returns the settings of a site with those of its routes as they are in force.
func (s *Site) merged() *Node {
	return s.Node.with("routes", func(routes *Node) {
		routes.Items = nil
		for _, r := range s.Routes {
			routes.Items = append(routes.Items, r.Node)
		}
	})
}

// with returns a copy of n in which the value of key, if there is one, is a changed copy.
func (n *Node) with(key string, change func(value *Node)) *Node {
	copied := *n
	copied.Entries = slices.Clone(n.Entries)
	for i, e := range copied.Entries {
		if e.Key.Value == key {
			value := *e.Value
			change(&value)
			copied.Entries[i].Value = &value
		}
	}
	return &copied
}

// YAML writes a tree as a file would have it, without its secrets.
func (n *Node) YAML() string {
	w := &yamlWriter{}
	w.value(n, 0)
	return strings.TrimLeft(w.out.String(), "\n ")
}

// A yamlWriter writes block style, and flow style for lists of scalars and what is empty.
type yamlWriter struct{ out strings.Builder }

// value writes n behind its key, or alone.
func (w *yamlWriter) value(n *Node, depth int) {
	switch {
	case n.Kind == Map && len(n.Entries) > 0:
		w.out.WriteByte('\n')
		for _, e := range n.Entries {
			w.entry(e, depth)
		}
	case n.Kind == List && slices.ContainsFunc(n.Items, func(item *Node) bool { return item.Kind == Map || item.Kind == List }):
		w.out.WriteByte('\n')
		for _, item := range n.Items {
			w.item(item, depth)
		}
	default:
		w.out.WriteString(" " + n.Flow() + "\n")
	}
}

func (w *yamlWriter) entry(e Entry, depth int) {
	w.out.WriteString(strings.Repeat("  ", depth) + e.Key.Flow() + ":")
	w.value(e.Value, depth+1)
}

// item writes one item of a list: the first key of a map stands behind the hyphen.
func (w *yamlWriter) item(n *Node, depth int) {
	indent := strings.Repeat("  ", depth)
	if n.Kind != Map || len(n.Entries) == 0 {
		w.out.WriteString(indent + "-")
		w.value(n, depth+1)
		return
	}
	inner := &yamlWriter{}
	for _, e := range n.Entries {
		inner.entry(e, depth+1)
	}
	w.out.WriteString(indent + "- " + strings.TrimPrefix(inner.out.String(), indent+"  "))
}

// hidden stands for a secret that is written in the file itself.
const hidden = "(secret)"

// Shown returns the text of a Scalar for people: where ${…} filled something in, as it is written, and of another secret nothing.
func (n *Node) Shown() string {
	switch {
	case n.Written != "":
		return n.Written
	case n.Secret:
		return hidden
	}
	return n.Value
}

// Flow writes n in one line, as YAML has it, without its secrets.
func (n *Node) Flow() string {
	switch n.Kind {
	case Map:
		var all []string
		for _, e := range n.Entries {
			all = append(all, e.Key.Flow()+": "+e.Value.Flow())
		}
		if len(all) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(all, ", ") + " }"
	case List:
		var all []string
		for _, item := range n.Items {
			all = append(all, item.Flow())
		}
		return "[" + strings.Join(all, ", ") + "]"
	case Null:
		return "null"
	}
	switch {
	case n.Written != "":
		return strconv.Quote(n.Written)
	case n.Secret:
		return hidden
	}
	if plainScalar.MatchString(n.Value) && !strings.Contains(n.Value, ": ") && (!n.Quoted || !typedScalar.MatchString(n.Value)) {
		return n.Value
	}
	return quoted(n.Value)
}

var (
	// plainScalar finds texts that mean the same without quotes, in block and in flow style.
	plainScalar = regexp.MustCompile(`^[\p{L}\p{N}_/.+(-][\p{L}\p{N}_/.+*:@%=()~ -]*[\p{L}\p{N}_/.+*@%=()~-]$|^[\p{L}\p{N}_/.]$`)
	// typedScalar finds texts that are something else with quotes: numbers, words with a meaning of their own.
	typedScalar = regexp.MustCompile(`(?i)^([-+.0-9].*|true|false|null|off|~)$`)
)

// quoted writes a text in double quotes, with the escapes that YAML has; $ is doubled where it would begin a variable.
func quoted(s string) string {
	return strings.ReplaceAll(strconv.Quote(s), "${", "$${")
}

// JSON writes a tree as JSON, without its secrets. A reader of configurations takes it for the same tree.
func (n *Node) JSON() []byte {
	var out bytes.Buffer
	n.json(&out)
	var indented bytes.Buffer
	_ = json.Indent(&indented, out.Bytes(), "", "  ")
	return append(indented.Bytes(), '\n')
}

func (n *Node) json(out *bytes.Buffer) {
	switch n.Kind {
	case Null:
		out.WriteString("null")
	case List:
		out.WriteByte('[')
		for i, item := range n.Items {
			comma(out, i)
			item.json(out)
		}
		out.WriteByte(']')
	case Map:
		out.WriteByte('{')
		for i, e := range n.Entries {
			comma(out, i)
			out.Write(jsonString(e.Key.Value))
			out.WriteByte(':')
			e.Value.json(out)
		}
		out.WriteByte('}')
	default:
		out.Write(n.jsonScalar())
	}
}

func comma(out *bytes.Buffer, i int) {
	if i > 0 {
		out.WriteByte(',')
	}
}

// jsonScalar writes what is a number or a bool without quotes, as it was read.
func (n *Node) jsonScalar() []byte {
	switch {
	case n.Written != "":
		return jsonString(n.Written)
	case n.Secret:
		return jsonString(hidden)
	case !n.Quoted && (n.Value == "true" || n.Value == "false" || jsonNumber.MatchString(n.Value)):
		return []byte(n.Value)
	}
	return jsonString(strings.ReplaceAll(n.Value, "${", "$${"))
}

// jsonNumber finds numbers as JSON writes them (RFC 8259, section 6).
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// jsonString writes a text as it is, also <, > and &, which matter in pages only.
func jsonString(s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always has a form
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
