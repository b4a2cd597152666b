package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Decoder reads files and fills Go values from nodes, and collects what is wrong with them. The zero Decoder is ready. It is for one goroutine.
type Decoder struct {
	Diagnostics []Diagnostic
	Dropped     int               // diagnostics beyond diagnosticsMax
	Sources     map[string][]byte // the text of the files that were read, for Render
	Files       []string          // their names, in order
	Features    []string          // keys that are allowed wherever a struct has a rest field

	secrets []mask // what is never shown, the longest first
	errors  int    // among the diagnostics, those dropped included
	faulty  map[*Node]struct{}
	pools   []string // names of the pools, sorted; known while sites are decoded
	partial bool
	seen    map[Diagnostic]struct{}
	shapes  map[reflect.Type]*shape
	path    []*Node // keys from the root to what is being decoded
}

// A Hinter knows what was likely meant by a key that its struct does not have. "" is nothing that it knows.
type Hinter interface {
	ConfigHint(key string) string
}

// A Defaulter fills its defaults in. The Decoder calls it for values that it makes itself: items of lists and maps, and behind nil pointers. What a caller
// hands to Decode it fills in itself, before.
type Defaulter interface {
	Defaults()
}

// Named says what a struct is in messages, with its article: "a site". Without it a struct is called by its key.
type Named interface {
	ConfigName() string
}

// Words is a string type that takes a closed set of words.
type Words interface {
	ConfigWords() []string
}

// Decode fills *into from n: a struct with conf tags, a map with string keys, a slice, a pointer, a string, bool or number, a Duration, Size, Rate, *Node,
// []Entry, an encoding.TextUnmarshaler, or a NodeDecoder. What is in *into already is the default: maps are added to, everything else that n names is
// replaced. Everything wrong becomes a Diagnostic, and decoding goes on; a faulty setting keeps its default.
func (d *Decoder) Decode(n *Node, into any) {
	d.value(n, reflect.ValueOf(into).Elem(), &field{})
}

// Fields decodes a map into the fields of *into, a struct, even if that is a NodeDecoder: it is what a type with a short form calls for the long one.
func (d *Decoder) Fields(n *Node, into any) {
	d.structure(n, reflect.ValueOf(into).Elem())
}

// DecodeEntry is Decode of the entry's value; messages name its key.
func (d *Decoder) DecodeEntry(e Entry, into any) {
	d.under(e.Key, func() { d.Decode(e.Value, into) })
}

// Make decodes an entry into a new T that has its defaults. It is how build decodes a feature's Config.
func Make[T any](d *Decoder, e Entry) T {
	var into T
	v := reflect.ValueOf(&into).Elem()
	fillDefaults(v)
	d.under(e.Key, func() { d.value(e.Value, v, &field{off: true}) })
	return into
}

// Under runs fn, in which messages name the key. It is for a NodeDecoder.
func (d *Decoder) Under(key *Node, fn func()) { d.under(key, fn) }

// under runs fn with key on the path.
func (d *Decoder) under(key *Node, fn func()) {
	d.path = append(d.path, key)
	fn()
	d.path = d.path[:len(d.path)-1]
}

// place is the key that leads to n, or n itself at the root.
func (d *Decoder) place(n *Node) *Node {
	if len(d.path) > 0 {
		return d.path[len(d.path)-1]
	}
	return n
}

// key is the last key on the path, "" at the root.
func (d *Decoder) key() string {
	if len(d.path) > 0 {
		return d.path[len(d.path)-1].Value
	}
	return ""
}

// name is what messages call the value that is being decoded.
func (d *Decoder) name() string {
	if key := d.key(); key != "" {
		return fmt.Sprintf("%q", key)
	}
	return "this"
}

// Wrong notes that n is not what its setting wants, such as "a list of addresses". It is for a NodeDecoder.
func (d *Decoder) Wrong(n *Node, want string) {
	d.wrong(n, "wrong-type", want, "")
}

func (d *Decoder) wrong(n *Node, code, want, suggestion string) {
	switch {
	case n.Kind == Null:
		d.Hintf(n, "no-value", "give it one, or remove the key", "%s has no value; it wants %s", d.name(), want)
		return
	case n.IsOff():
		d.Hintf(n, code, "", "%s can't be off; it wants %s", d.name(), want)
		return
	}
	d.Hintf(n, code, suggestion, "%s wants %s, not %s", d.name(), want, describe(n))
}

// value fills v, which f describes, from n.
func (d *Decoder) value(n *Node, v reflect.Value, f *field) {
	if f.off && n.IsOff() {
		setOff(v)
		return
	}
	if f.secret {
		d.MarkSecret(n)
	}
	if f.off && meansOff(n) && !takesText(v) {
		text := "not " + describe(n)
		if n.Quoted {
			text = "without quotes"
		}
		d.Hintf(n, "wrong-type", `did you mean off?`, "%s is switched off with the word off, %s", d.name(), text)
		return
	}
	if decoder, ok := v.Addr().Interface().(NodeDecoder); ok {
		decoder.DecodeConfig(d, n)
		return
	}
	if d.special(n, v, f) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		d.pointer(n, v, f)
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Map:
		d.mapping(n, v, f)
	case reflect.Slice:
		d.list(n, v, f)
	default:
		d.scalar(n, v, f)
	}
}

// hideUser makes a secret of a text that holds a user and maybe a password, as a URL may.
func (d *Decoder) hideUser(n *Node) {
	if strings.Contains(n.Value, "@") {
		d.MarkSecret(n)
	}
}

// meansOff reports whether n is a word that other programs have for off.
func meansOff(n *Node) bool {
	if n.Kind != Scalar || n.Secret {
		return false
	}
	switch strings.ToLower(n.Value) {
	case "off", "no", "none", "false", "never", "disabled", "disable", "unlimited", "infinite":
		return true
	}
	return false
}

// takesText reports whether v is a text, a list of texts, or a type with forms of its own, for which any word may be meant.
func takesText(v reflect.Value) bool {
	for v.Kind() == reflect.Slice || v.Kind() == reflect.Pointer {
		v = reflect.New(v.Type().Elem()).Elem()
	}
	_, words := v.Addr().Interface().(Words)
	_, own := v.Addr().Interface().(NodeDecoder)
	return own || v.Kind() == reflect.String && !words
}

// setOff is what the word off does: a pointer to a struct becomes nil, another pointer points to zero, the rest becomes zero.
func setOff(v reflect.Value) {
	v.SetZero()
	if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() != reflect.Struct {
		v.Set(reflect.New(v.Type().Elem()))
	}
}

// fillDefaults calls Defaults of a value that the decoder made.
func fillDefaults(v reflect.Value) {
	if defaulter, ok := v.Addr().Interface().(Defaulter); ok {
		defaulter.Defaults()
	}
}

// pointer decodes into a new value, so that a default that several share is not changed.
func (d *Decoder) pointer(n *Node, v reflect.Value, f *field) {
	next := reflect.New(v.Type().Elem())
	if v.IsNil() {
		fillDefaults(next.Elem())
	} else {
		next.Elem().Set(v.Elem())
	}
	before := d.errors
	inner := *f
	inner.off = false
	d.value(n, next.Elem(), &inner)
	_, isText := next.Interface().(encoding.TextUnmarshaler) // half of one is of no use
	if d.errors == before || v.Type().Elem().Kind() == reflect.Struct && !isText {
		v.Set(next)
	}
}

func (d *Decoder) structure(n *Node, v reflect.Value) {
	s := d.shapeOf(v.Type())
	for _, index := range s.nodes {
		v.FieldByIndex(index).Set(reflect.ValueOf(n))
	}
	if n.Kind != Map {
		d.wrong(n, "wrong-type", "a map of settings", colonHint(n, s))
		return
	}
	guessed := map[string]bool{}
	for _, e := range n.Entries {
		d.entry(e, v, s, guessed)
	}
	for _, key := range s.keys {
		if s.fields[key].required && n.Get(key) == nil && !guessed[key] && !n.gap {
			d.Errorf(d.place(n), "missing", "%s needs %q", d.structName(v), key)
		}
	}
	if validator, ok := v.Addr().Interface().(Validator); ok {
		validator.ValidateConfig(d, n)
	}
}

// colonHint is for "to:shop", which YAML takes for a text.
func colonHint(n *Node, s *shape) string {
	if n.Kind != Scalar || n.Secret {
		return ""
	}
	return separatorHint(n.Value, s.keys)
}

// separatorHint is for "to:shop", "to shop" and "to = shop", where one of keys was meant. It is "" if none was.
func separatorHint(text string, keys []string) string {
	i := strings.IndexAny(text, ": =")
	if i < 0 || !slices.Contains(keys, text[:i]) || strings.Trim(text[i:], ": =") == "" {
		return ""
	}
	right := text[:i] + ": " + strings.TrimLeft(text[i:], ": =")
	if text[i] == ':' {
		return fmt.Sprintf("a space belongs after the colon: %q", right)
	}
	return fmt.Sprintf("did you mean %q?", right)
}

// entry decodes one setting of a struct. The key that an unknown one was likely meant for is noted in guessed.
func (d *Decoder) entry(e Entry, v reflect.Value, s *shape, guessed map[string]bool) {
	key := e.Key.Value
	if f, ok := s.fields[key]; ok {
		d.under(e.Key, func() { d.value(e.Value, v.FieldByIndex(f.index), f) })
		return
	}
	known := s.keys
	if s.rest != nil {
		if slices.Contains(d.Features, key) {
			rest := v.FieldByIndex(s.rest)
			rest.Set(reflect.Append(rest, reflect.ValueOf(e)))
			return
		}
		known = append(slices.Clone(known), d.Features...)
	}
	d.unknownKey(e, v, known, guessed)
}

// structName is what messages call the struct v.
func (d *Decoder) structName(v reflect.Value) string {
	if named, ok := v.Addr().Interface().(Named); ok {
		return named.ConfigName()
	}
	if key := d.key(); key != "" {
		return key
	}
	return "the configuration"
}

// mapping adds to a map with string keys. The word off leaves a key out: that is how an inherited one is removed.
func (d *Decoder) mapping(n *Node, v reflect.Value, f *field) {
	if n.Kind != Map {
		d.wrong(n, "wrong-type", "a map", mapHint(n))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Entries)+v.Len())
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(it.Key(), it.Value())
	}
	for _, e := range n.Entries {
		key := reflect.ValueOf(e.Key.Value).Convert(v.Type().Key())
		if e.Value.IsOff() {
			out.SetMapIndex(key, reflect.Value{})
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		fillDefaults(item)
		d.under(e.Key, func() { d.value(e.Value, item, &field{one: f.one, text: f.text}) })
		out.SetMapIndex(key, item)
	}
	v.Set(out)
}

func (d *Decoder) list(n *Node, v reflect.Value, f *field) {
	items := n.Items
	if n.Kind != List {
		if !f.one || n.Kind == Null || n.IsOff() {
			d.wrong(n, "wrong-type", "a list", listHint(n))
			return
		}
		items = []*Node{n}
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		fillDefaults(out.Index(i))
		place := &Node{Pos: item.Pos, Width: item.Width, Value: d.key()}
		d.under(place, func() { d.value(item, out.Index(i), &field{text: f.text, min: f.min, max: f.max}) })
	}
	v.Set(out)
}

// listHint shows a scalar as the list that was meant.
func listHint(n *Node) string {
	switch {
	case n.Kind == Map && !n.flow:
		return "begin each item with a hyphen"
	case n.Kind != Scalar || n.Secret || strings.ContainsAny(n.Value, "[]{}"):
		return ""
	}
	return fmt.Sprintf("write [%s]", n.Value)
}

// mapHint is for a list where a map was meant.
func mapHint(n *Node) string {
	if n.Kind == List && !n.flow {
		return "leave the hyphens out"
	}
	return ""
}
