package config

import (
	"slices"
	"strconv"
	"strings"
)

// A Change is one difference between two trees.
type Change struct {
	// Path leads from the root to what differs: keys, and of items of lists what they are known by, or their number.
	Path []string
	// Old and New are what is there, in one line and without secrets; "" where there is nothing.
	Old, New string
	// At is the place of New, or of Old where there is nothing new.
	At Pos
}

// otherSecret is what is said of a secret whose reference is the same, and the value is not.
const otherSecret = "(another value)"

// Diff returns what differs between two trees, in the order of next with what is gone at its old place. Items of lists are known by their match, their address or
// their text, so that one that is added does not make all behind it differ; where that is not plain, by their number. Either tree may be nil.
func Diff(prev, next *Node) []Change {
	d := &differ{}
	d.nodes(prev, next)
	return d.changes
}

// A differ collects changes on its way through two trees.
type differ struct {
	path    []string
	changes []Change
}

func (d *differ) nodes(a, b *Node) {
	switch {
	case a.equal(b):
	case a == nil || b == nil || a.Kind != b.Kind || a.Kind == Scalar || a.Kind == Null:
		d.note(a, b)
	case a.Kind == Map:
		d.members(entriesOf(a), entriesOf(b))
	default:
		d.lists(a, b)
	}
}

// note adds a change of what is at the path.
func (d *differ) note(a, b *Node) {
	c := Change{Path: append([]string(nil), d.path...)}
	if a != nil {
		c.Old, c.At = a.Flow(), a.Pos
	}
	if b != nil {
		c.New, c.At = b.Flow(), b.Pos
	}
	if a != nil && b != nil && c.Old == c.New {
		c.New = otherSecret
	}
	d.changes = append(d.changes, c)
}

// A member is a value with what it is known by among its likes.
type member struct {
	id   string
	node *Node
}

func entriesOf(n *Node) (all []member) {
	for _, e := range n.Entries {
		all = append(all, member{e.Key.Value, e.Value})
	}
	return all
}

// members compares what has names, in the order of b; what only a has comes behind what it stood behind.
func (d *differ) members(a, b []member) {
	old, kept := map[string]*Node{}, map[string]bool{}
	for _, m := range a {
		old[m.id] = m.node
	}
	for _, m := range b {
		kept[m.id] = true
	}
	gone := func(from int) (next int) {
		for ; from < len(a) && !kept[a[from].id]; from++ {
			d.at(a[from].id, a[from].node, nil)
		}
		return from
	}
	next := gone(0)
	for _, m := range b {
		d.at(m.id, old[m.id], m.node)
		if next < len(a) && a[next].id == m.id {
			next = gone(next + 1)
		}
	}
	for ; next < len(a); next++ { // the order is another one
		next = gone(next)
	}
}

func (d *differ) at(id string, a, b *Node) {
	d.path = append(d.path, id)
	d.nodes(a, b)
	d.path = d.path[:len(d.path)-1]
}

func (d *differ) lists(a, b *Node) {
	old, ok := itemsOf(a)
	new, ok2 := itemsOf(b)
	if !ok || !ok2 {
		old, new = numbered(a), numbered(b)
	}
	before := len(d.changes)
	d.members(old, new)
	if len(d.changes) == before && !slices.EqualFunc(old, new, func(x, y member) bool { return x.id == y.id }) {
		d.note(a, b) // the same items in another order
	}
}

// itemsOf names the items of a list; ok is false if two have the same name, or one has none.
func itemsOf(n *Node) (all []member, ok bool) {
	seen := map[string]bool{}
	for _, item := range n.Items {
		id := item
		if item.Kind == Map {
			if id = item.Get("match"); id == nil {
				id = item.Get("address")
			}
		}
		if id == nil || id.Kind == List || id.Kind == Null {
			return nil, false
		}
		name := id.Flow()
		if id.Kind == Scalar { // the same with and without quotes
			name = id.Shown()
		}
		if seen[name] {
			return nil, false
		}
		seen[name] = true
		all = append(all, member{name, item})
	}
	return all, true
}

func numbered(n *Node) (all []member) {
	for i, item := range n.Items {
		all = append(all, member{strconv.Itoa(i + 1), item})
	}
	return all
}

// equal reports whether two trees say the same; places don't count, and quotes only where they say something about the type. Either may be nil.
func (n *Node) equal(other *Node) bool {
	if n == nil || other == nil {
		return n == other
	}
	if n.Kind != other.Kind || n.Value != other.Value || n.Quoted != other.Quoted && isTyped(n.Value) || len(n.Items) != len(other.Items) || len(n.Entries) != len(other.Entries) {
		return false
	}
	for i := range n.Items {
		if !n.Items[i].equal(other.Items[i]) {
			return false
		}
	}
	for i := range n.Entries {
		if n.Entries[i].Key.Value != other.Entries[i].Key.Value || !n.Entries[i].Value.equal(other.Entries[i].Value) {
			return false
		}
	}
	return true
}

// isTyped reports whether a text is something else without quotes: a number, nothing, or a word with a meaning.
func isTyped(text string) bool {
	return slices.Contains([]string{"", "~", "null", "true", "false", "off"}, text) || jsonNumber.MatchString(text)
}

// String writes the change in one line.
func (c Change) String() string {
	path := strings.Join(c.Path, " › ")
	last := ""
	if len(c.Path) > 0 {
		last = c.Path[len(c.Path)-1]
	}
	switch {
	case c.Old == "" && c.New == last:
		return "+ " + path
	case c.New == "" && c.Old == last:
		return "- " + path
	case c.Old == "":
		return "+ " + path + ": " + c.New
	case c.New == "":
		return "- " + path + ": " + c.Old
	}
	return "~ " + path + ": " + c.Old + " → " + c.New
}
