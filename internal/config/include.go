package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// filesMax is how many files a configuration may have.
const filesMax = 20_000

// sections are the top-level maps to which included files add; every other key may be in one file only.
func sections() []string { return []string{"pools", "sites", "listeners"} }

// A collection is a root to which further files are added.
type collection struct {
	d    *Decoder
	root *Node
	keys map[string]map[string]*Node // the keys of the root (under "") and of its sections
}

// include returns root with the files that its include names.
func (d *Decoder) include(src Source, file string, root *Node) *Node {
	c := &collection{d: d, root: &Node{Kind: Map, Pos: root.Pos, Width: root.Width}, keys: map[string]map[string]*Node{"": {}}}
	c.add(root)
	read := map[string]bool{filepath.Clean(file): true}
	for _, pattern := range root.Get("include").all() {
		for _, name := range d.expandPattern(src, file, pattern) {
			if read[filepath.Clean(name)] {
				d.readTwice(file, name, pattern)
				continue
			}
			read[filepath.Clean(name)] = true
			if len(read) > filesMax {
				d.Errorf(pattern, "too-many-files", "a configuration has at most %d files", filesMax)
				return c.root
			}
			c.addFile(src, name)
		}
	}
	return c.root
}

// readTwice refuses a file that is named once more; a pattern may match it.
func (d *Decoder) readTwice(file, name string, pattern *Node) {
	switch {
	case strings.ContainsAny(pattern.Value, "*?["):
	case filepath.Clean(name) == filepath.Clean(file):
		d.Errorf(pattern, "nested-include", "this file includes itself")
	default:
		d.Hintf(pattern, "duplicate-file", "take it away", "%s is included already", name)
	}
}

// expandPattern returns the files that one item of include names, sorted.
func (d *Decoder) expandPattern(src Source, file string, pattern *Node) []string {
	if pattern.Kind != Scalar || pattern.Value == "" || !d.OneLine(pattern) {
		return nil // Decode says why
	}
	path := pattern.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	if !strings.ContainsAny(path, "*?[") {
		if _, err := src.ReadFile(path); err != nil {
			d.Errorf(pattern, "cannot-read", "%s: %s", path, reason(err))
			return nil
		}
		return []string{path}
	}
	names, err := src.Glob(path)
	if err != nil {
		d.Errorf(pattern, "bad-pattern", "%s is not a pattern for file names", describe(pattern))
	} else if len(names) == 0 {
		d.Warnf(pattern, "no-file", "no file matches %s", path)
	}
	return names
}

func (c *collection) addFile(src Source, name string) {
	n := c.d.Parse(src, name)
	switch {
	case n == nil:
		if !c.d.partial {
			c.d.Report(Diagnostic{Severity: Warning, Code: "empty", Pos: Pos{name, 1, 1}, Text: "this file holds no settings"})
		}
	case n.Kind != Map:
		c.d.notMap(n)
	default:
		if include := n.entry("include"); include != nil {
			c.d.Hintf(include.Key, "nested-include", "name all files in the first one; patterns such as sites/*.yaml help", "an included file includes no further ones")
			n = n.without("include")
		}
		c.add(n)
	}
}

// add takes the settings of a file in.
func (c *collection) add(n *Node) {
	for _, e := range n.Entries {
		key := e.Key.Value
		switch first := c.keys[""][key]; {
		case first == nil:
			c.keys[""][key] = e.Key
			c.root.Entries = append(c.root.Entries, e)
			c.begin(e)
		case c.keys[key] != nil && e.Value.Kind == Map:
			c.extend(e)
		case c.keys[key] != nil:
			c.d.under(e.Key, func() { c.d.wrong(e.Value, "wrong-type", "a map", mapHint(e.Value)) })
		default:
			c.d.Errorf(e.Key, "duplicate-key", "%q is set twice: first %s", key, e.Key.other(first))
		}
	}
}

// begin makes a section of the root ready for further keys.
func (c *collection) begin(e Entry) {
	for _, section := range sections() {
		if e.Key.Value != section || e.Value.Kind != Map {
			continue
		}
		grown := *e.Value
		grown.Entries = nil
		c.root.Entries[len(c.root.Entries)-1].Value = &grown
		c.keys[section] = map[string]*Node{}
		c.extend(e)
	}
}

// extend adds the keys of e to the root's section of that name.
func (c *collection) extend(e Entry) {
	section, keys := c.root.Get(e.Key.Value), c.keys[e.Key.Value]
	for _, added := range e.Value.Entries {
		if first := keys[added.Key.Value]; first != nil {
			c.d.Errorf(added.Key, "duplicate-key", "%q is set twice: first %s", added.Key.Value, added.Key.other(first))
			continue
		}
		keys[added.Key.Value] = added.Key
		section.Entries = append(section.Entries, added)
	}
}

// entry returns the entry of a key, nil if there is none.
func (n *Node) entry(key string) *Entry {
	for i := range n.Entries {
		if n.Entries[i].Key.Value == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// String writes a place as messages do.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}
