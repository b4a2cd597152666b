// Package config is the configuration as data: YAML (or JSON) into nodes with positions, nodes into typed structs, and everything that is wrong into
// diagnostics with file, line, column and a suggestion.
//
// It stands beside the way of a request: build makes a snapshot from what this package decodes. A feature declares its own Config struct in its own
// folder and has build decode it from the nodes that Site.Features and Route.Features hold; this package knows no feature.
// Nothing here opens a socket, and files are read through a Source only. A Node is shared by readers after Load and never changes then.
package config

import "time"

// A Pos is a place in a configuration file. Lines and columns count from 1; a column counts characters, not bytes. The zero Pos is nowhere.
type Pos struct {
	File         string
	Line, Column int
}

// A Kind says what a Node is.
type Kind uint8

// The kinds of nodes. YAML 1.2 has more kinds of scalars; here a scalar is text, and the type that it is decoded into says how to read it.
const (
	Null Kind = iota
	Scalar
	List
	Map
)

// String names the kind as messages do.
func (k Kind) String() string {
	return [...]string{"nothing", "a value", "a list", "a map"}[k]
}

// A Node is one value of the tree with its place.
type Node struct {
	Kind    Kind
	Pos     Pos
	Width   int    // how many characters it takes on its first line, for the caret; 0 if unknown
	Value   string // the text of a Scalar after ${…} was filled in
	Quoted  bool   // a Scalar in quotes or a block: never null, a number or a bool
	Secret  bool   // Value holds something from ${…}, or is a secret itself: it must not be shown again
	Written string // the text of a Scalar that ${…} is in, as it is in the file
	Items   []*Node
	Entries []Entry

	flow bool // a List or Map in brackets
	gap  bool // a Map of which a part could not be read
}

// An Entry is one key of a Map with its value, in written order.
type Entry struct {
	Key   *Node // a Scalar
	Value *Node
}

// Get returns the value of key in a Map, nil if it has none or n is nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if e.Key.Value == key {
			return e.Value
		}
	}
	return nil
}

// IsOff reports whether n is the plain word off, which removes an inherited setting.
func (n *Node) IsOff() bool {
	return n != nil && n.Kind == Scalar && !n.Quoted && n.Value == "off"
}

// A Duration is a time span as written in the configuration: "250ms", "5s", "1h30m", "7d". It is never negative.
type Duration time.Duration

// A Size is a number of bytes as written in the configuration: "64KiB", "2MB", "512". It is never negative.
type Size int64

// A Rate is how many of something in a time span: "20/s", "100/m".
type Rate struct {
	Count int64
	Per   time.Duration
}

// A Share is a part of a whole as written in the configuration, in millionths: "1%", "0.05%", "100%".
type Share int64

// ShareMax is the whole.
const ShareMax Share = 1_000_000

// A NodeDecoder decodes itself from a node: a type with a short form (a scalar or a list instead of a map). Errors go to d.
type NodeDecoder interface {
	DecodeConfig(d *Decoder, n *Node)
}

// A Validator is asked after a struct was decoded without an error of its own, with the node for positions. Errors go to d.
type Validator interface {
	ValidateConfig(d *Decoder, n *Node)
}
