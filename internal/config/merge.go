package config

import "slices"

// Merge lays inner over outer: maps merge key by key, everything else of inner replaces. A value that only one of them has is shared with it, and every value
// keeps its place. The word off is a value like others: it replaces what was inherited, and whoever decodes it takes it for nothing. Either may be nil.
func Merge(outer, inner *Node) *Node {
	switch {
	case inner == nil:
		return outer
	case outer == nil || outer.Kind != Map || inner.Kind != Map:
		return inner
	}
	merged := *inner
	merged.gap = outer.gap || inner.gap
	merged.Entries = make([]Entry, 0, len(outer.Entries)+len(inner.Entries))
	own := make(map[string]Entry, len(inner.Entries))
	for _, e := range inner.Entries {
		own[e.Key.Value] = e
	}
	inherited := make(map[string]bool, len(outer.Entries))
	for _, e := range outer.Entries {
		inherited[e.Key.Value] = true
		if over, ok := own[e.Key.Value]; ok {
			e = Entry{over.Key, Merge(e.Value, over.Value)}
		}
		merged.Entries = append(merged.Entries, e)
	}
	for _, e := range inner.Entries {
		if !inherited[e.Key.Value] {
			merged.Entries = append(merged.Entries, e)
		}
	}
	return &merged
}

// answerKeys lists the settings that say where a request goes. A level has one of them, and the nearest level that has one wins.
func answerKeys() []string { return []string{"to", "respond", "redirect"} }

// inherit is Merge for the settings of a site or route: an answer of inner removes those of outer.
func inherit(outer, inner *Node) *Node {
	for _, key := range answerKeys() {
		if inner.Get(key) != nil {
			return Merge(outer.without(answerKeys()...), inner)
		}
	}
	return Merge(outer, inner)
}

// without returns n without the keys, n itself if it has none of them. A nil n stays nil.
func (n *Node) without(keys ...string) *Node {
	found := false
	for _, key := range keys {
		found = found || n.Get(key) != nil
	}
	if !found {
		return n
	}
	rest := *n
	rest.Entries = nil
	for _, e := range n.Entries {
		if !slices.Contains(keys, e.Key.Value) {
			rest.Entries = append(rest.Entries, e)
		}
	}
	return &rest
}
