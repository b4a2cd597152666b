package route

import "strings"

// node is a node of a radix tree over the literal beginnings of path patterns. The root's label is empty.
type node struct {
	label    string  // the bytes from the parent to here
	exact    []entry // patterns that end here; in the order of rules
	below    []entry // patterns that take more than what leads here; in the order of rules
	first    string  // first byte of each child's label
	children []*node // parallel to first
}

// entry is one path pattern of one rule.
type entry struct {
	rule   int
	match  *Match // of the rule
	path   *Path  // of the match
	walked bool   // who has come to the entry through the tree need not ask path
	alone  bool   // the match has no other condition than its paths
}

// next returns the child that path leads to, nil if there is none.
func (n *node) next(path []byte) *node {
	if len(path) == 0 {
		return nil
	}
	i := strings.IndexByte(n.first, path[0])
	if i < 0 {
		return nil
	}
	c := n.children[i]
	if len(path) < len(c.label) || string(path[:len(c.label)]) != c.label {
		return nil
	}
	return c
}

// insert adds e below n under literal. Entries are inserted in the order of their rules.
func (n *node) insert(literal string, e entry) {
	if literal == "" {
		if e.path.kind == exactPath {
			n.exact = append(n.exact, e)
		} else {
			n.below = append(n.below, e)
		}
		return
	}
	i := strings.IndexByte(n.first, literal[0])
	if i < 0 {
		n.first += literal[:1]
		n.children = append(n.children, &node{label: literal})
		i = len(n.children) - 1
	}
	common := commonPrefix(n.children[i].label, literal)
	if common < len(n.children[i].label) {
		n.children[i] = n.children[i].split(common)
	}
	n.children[i].insert(literal[common:], e)
}

// split returns a node for the first at bytes of n's label, with n below it.
func (n *node) split(at int) *node {
	top := &node{label: n.label[:at], first: n.label[at : at+1], children: []*node{n}}
	n.label = n.label[at:]
	return top
}

func commonPrefix(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}
