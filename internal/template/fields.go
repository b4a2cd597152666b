package template

import (
	"errors"
	"fmt"
	"strings"

	"sluice/internal/config"
	"sluice/internal/exchange"
)

// RequestLines are field lines for a request in the order of the configuration: a map of names to a value or a list of values, all of them templates.
// The word off leaves a name out.
type RequestLines []Line

// ResponseLines are field lines for a response; see RequestLines.
type ResponseLines []Line

// Line is the field lines with one name.
type Line struct {
	Name   []byte
	Values []*Template
}

// DecodeConfig implements config.NodeDecoder.
func (l *RequestLines) DecodeConfig(d *config.Decoder, n *config.Node) {
	*l = decodeLines(d, n, RequestField)
}

// DecodeConfig implements config.NodeDecoder.
func (l *ResponseLines) DecodeConfig(d *config.Decoder, n *config.Node) {
	*l = decodeLines(d, n, ResponseField)
}

// ConfigForms implements config.Formed.
func (*RequestLines) ConfigForms() []any { return []any{map[string]lineForm{}} }

// ConfigForms implements config.Formed.
func (*ResponseLines) ConfigForms() []any { return []any{map[string]lineForm{}} }

// lineForm is how the values of one name are written.
type lineForm struct{}

// ConfigForms implements config.Formed.
func (*lineForm) ConfigForms() []any {
	text := config.Form{Text: "a text with {…} for parts of the exchange"}
	return []any{text, config.Form{Kind: config.FormList, Of: []config.Form{text}}, config.Form{Kind: config.FormOff}}
}

func decodeLines(d *config.Decoder, n *config.Node, kind Kind) []Line {
	if n.IsOff() {
		return nil
	}
	if n.Kind != config.Map {
		d.Wrong(n, "a map of field names and values")
		return nil
	}
	var lines []Line
	seen := map[string]string{}
	for _, e := range n.Entries {
		name := e.Key.Value
		if e.Value.IsOff() {
			continue
		}
		if err := CheckName(kind, name); err != nil {
			d.Errorf(e.Key, "bad-field", "%v", err)
			continue
		}
		// Names are merged over the levels as they are written; in another case they are the same field all the same.
		if first, ok := seen[strings.ToLower(name)]; ok {
			d.Errorf(e.Key, "duplicate-key", "%q is the same field as %q, which is set, too: write it in the same way everywhere", name, first)
			continue
		}
		seen[strings.ToLower(name)] = name
		line := Line{Name: []byte(name)}
		d.Under(e.Key, func() {
			for _, value := range items(e.Value) {
				if t := Decode(d, value, valueKind(kind, name), 0); t != nil {
					warnOfSecret(d, value, kind, name)
					line.Values = append(line.Values, t)
				}
			}
		})
		lines = append(lines, line)
	}
	return lines
}

// warnOfSecret warns of a key or password for servers that stands in the configuration as it is.
func warnOfSecret(d *config.Decoder, value *config.Node, kind Kind, name string) {
	const least = 8 // bytes; what is shorter is no key
	if kind == RequestField && config.IsSecretName(name) && value.Written == "" && len(value.Value) >= least && !strings.Contains(value.Value, "{") {
		d.Warnf(value, "plain-secret", "this value can be read by all who read this file; ${file:PATH} or ${NAME} fills it in")
		d.MarkSecret(value)
	}
}

// valueKind is kind, but Location for the field with that name: whatever sets it, it must not lead to another host.
func valueKind(kind Kind, name string) Kind {
	if kind == ResponseField && exchange.EqualFold(name, "Location") {
		return Location
	}
	return kind
}

func items(n *config.Node) []*config.Node {
	if n.Kind == config.List {
		return n.Items
	}
	return []*config.Node{n}
}

// Decode reads a template from a scalar. It returns nil after an error.
func Decode(d *config.Decoder, n *config.Node, kind Kind, captures int) *Template {
	if n.Kind != config.Scalar {
		d.Wrong(n, "a text")
		return nil
	}
	t, err := Parse(kind, n.Value, captures)
	switch {
	case err == nil:
		return t
	case n.Secret && strings.IndexFunc(n.Value, func(r rune) bool { return r < ' ' || r == 0x7F }) >= 0:
		d.Errorf(n, "bad-template", "the hidden value holds a line break or another control character")
	case n.Secret:
		d.Errorf(n, "bad-template", `this value can't be read as a template; braces in it are written "{{" and "}}"`)
	default:
		d.Hintf(n, "bad-template", DidYouMean(err), "%v", err)
	}
	return nil
}

// CheckName refuses names that no field has (RFC 9110, section 5.1) and those that belong to the connection or the framing, which Sluice writes itself.
// kind is RequestField or ResponseField.
func CheckName(kind Kind, name string) error {
	if !config.IsToken(name) {
		return fmt.Errorf("%q is not a field name (RFC 9110, section 5.1)", name)
	}
	switch id := exchange.LookupName([]byte(name)); {
	case IsFraming(id):
		return fmt.Errorf("%s is part of a message's framing, which Sluice writes itself", id)
	case IsHop(id):
		return fmt.Errorf("%s belongs to one connection and is not passed on (RFC 9110, section 7.6.1)", id)
	case id == exchange.FieldHost && kind == RequestField:
		return errors.New("the field Host is not set here: what servers get is the pool's setting host")
	case id == exchange.FieldHost:
		return errors.New("the field Host is for requests")
	}
	return nil
}

// IsFraming reports whether a field says where a message ends, or takes part in sending it.
func IsFraming(id exchange.Name) bool {
	switch id {
	case exchange.FieldContentLength, exchange.FieldTransferEncoding, exchange.FieldTrailer, exchange.FieldTE, exchange.FieldExpect:
		return true
	}
	return false
}

// IsHop reports whether a field is for one connection only.
func IsHop(id exchange.Name) bool {
	switch id {
	case exchange.FieldConnection, exchange.FieldKeepAlive, exchange.FieldProxyConnection, exchange.FieldUpgrade, exchange.FieldHTTP2Settings:
		return true
	}
	return false
}

// Set makes the values of l the only lines with that name. An empty list of values removes them.
func (l *Line) Set(f *exchange.Fields, x *exchange.Exchange) {
	if len(l.Values) == 0 {
		f.DelNamed(l.Name)
		return
	}
	f.SetNamed(l.Name, l.Values[0].Value(x))
	for _, v := range l.Values[1:] {
		f.AddNamed(l.Name, v.Value(x))
	}
}

// Add adds a line for each value of l.
func (l *Line) Add(f *exchange.Fields, x *exchange.Exchange) {
	for _, v := range l.Values {
		f.AddNamed(l.Name, v.Value(x))
	}
}
