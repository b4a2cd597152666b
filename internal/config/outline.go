package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A FormKind is one way in which a value can be written.
type FormKind uint8

// The kinds of forms.
const (
	FormText FormKind = iota
	FormBool
	FormInteger
	FormNumber
	FormDuration
	FormSize
	FormRate
	FormShare
	FormNetwork
	FormIP
	FormRegexp
	FormList     // of Of
	FormMap      // of any keys with values of Of
	FormSettings // a map of the Settings of Group
	FormOff      // the word off
)

// A Form is one way in which a value can be written.
type Form struct {
	Kind     FormKind
	Text     string   // FormText: what it is, "" if the setting's description says all
	Words    []string // FormText: the only ones, if it is a closed set
	Min, Max string   // as written, "" for none
	Of       []Form
	Group    *Group
}

// A Setting is one key of the configuration, for the schema and the manual.
type Setting struct {
	Key      string
	Owner    string // the Go type that the field is in, "config.Pool"
	Field    string // its name, for the doc comment
	Required bool
	Forms    []Form
	Default  string // as it would be written; "" for none
}

// A Group is the settings of one type. Groups are shared and can hold themselves.
type Group struct {
	Name     string // of the Go type, "config.Pool"
	Settings []Setting
	Others   []Form // values of keys that are not listed; nil if there are none
}

// Get returns the setting with that key; there must be one.
func (g *Group) Get(key string) *Setting {
	i := slices.IndexFunc(g.Settings, func(s Setting) bool { return s.Key == key })
	return &g.Settings[i]
}

// A Formed type is a NodeDecoder that tells which forms it takes: each is a Form, a Fields, or a value of a type with that form.
type Formed interface {
	ConfigForms() []any
}

// Fields as one of ConfigForms is a map with the settings of the struct Of, whatever else that decodes.
type Fields struct{ Of any }

// An Outliner makes the Outline of types.
type Outliner struct {
	// Features are samples of the Configs of features, by key: they stand in every group that takes them.
	Features map[string]any
	// Order is the order of the features.
	Order []string

	groups map[reflect.Type]*Group
	shapes Decoder
}

// Outline returns the settings of a whole configuration.
func (o *Outliner) Outline() *Group {
	c := &Config{}
	c.fillDefaults()
	return o.group(reflect.ValueOf(c).Elem())
}

// standsFor says what the nodes hold that are decoded later than the struct that they are in.
func standsFor(owner, field string) any {
	switch owner + "." + field {
	case "config.Config.Defaults":
		return scopeSample()
	case "config.Config.SiteEntries":
		return map[string]siteSample{}
	case "config.Site.RouteNodes":
		return []routeSample{}
	}
	return nil
}

// scopeSample returns a Scope with its defaults.
func scopeSample() Scope {
	var l Limits
	l.Defaults()
	s := Scope{Limits: l.SiteLimits, Tracing: &SiteTracing{}}
	s.Forward.Defaults()
	s.Tracing.Defaults()
	return s
}

// siteSample stands for a Site with its defaults, which Load fills in.
type siteSample struct{}

// routeSample stands for a Route.
type routeSample struct{}

// ConfigForms implements Formed.
func (*siteSample) ConfigForms() []any { return []any{Fields{Site{Scope: scopeSample()}}} }

// ConfigForms implements Formed.
func (*routeSample) ConfigForms() []any { return []any{Fields{Route{Scope: scopeSample()}}} }

// group returns the settings of the struct v, with the defaults that are in it.
func (o *Outliner) group(v reflect.Value) *Group {
	if g := o.groups[v.Type()]; g != nil {
		return g
	}
	g := &Group{Name: v.Type().String()}
	if o.groups == nil {
		o.groups = map[reflect.Type]*Group{}
	}
	o.groups[v.Type()] = g
	s := o.shapes.shapeOf(v.Type())
	for _, key := range s.keys {
		g.Settings = append(g.Settings, o.setting(v, s.fields[key]))
	}
	if others, ok := v.Addr().Interface().(interface{ ConfigOthers() any }); ok {
		g.Others = o.stated(others.ConfigOthers())
	}
	if s.rest != nil {
		for _, key := range o.Order {
			feature := addressable(o.Features[key])
			g.Settings = append(g.Settings, Setting{
				Key: key, Owner: feature.Type().String(), Forms: append(o.forms(feature, &field{}), Form{Kind: FormOff}),
			})
		}
	}
	return g
}

// addressable returns a new value of the type of sample, with its defaults.
func addressable(sample any) reflect.Value {
	v := reflect.New(reflect.TypeOf(sample)).Elem()
	v.Set(reflect.ValueOf(sample))
	fillDefaults(v)
	return v
}

func (o *Outliner) setting(v reflect.Value, f *field) Setting {
	owner := v.Type()
	for _, i := range f.index[:len(f.index)-1] {
		owner = owner.Field(i).Type
	}
	name := owner.Field(f.index[len(f.index)-1]).Name
	value := v.FieldByIndex(f.index)
	s := Setting{Key: f.key, Owner: owner.String(), Field: name, Required: f.required}
	if sample := standsFor(s.Owner, name); sample != nil {
		s.Forms = o.forms(addressable(sample), f)
		return s
	}
	s.Forms = o.forms(value, f)
	s.Default = written(value, f)
	return s
}

// forms returns how the value v, which f describes, can be written.
func (o *Outliner) forms(v reflect.Value, f *field) (all []Form) {
	defer func() {
		if f.off {
			all = append(all, Form{Kind: FormOff})
		}
	}()
	if formed, ok := v.Addr().Interface().(Formed); ok {
		for _, form := range formed.ConfigForms() {
			all = append(all, o.stated(form)...)
		}
		return all
	}
	if _, ok := v.Addr().Interface().(*[]Entry); ok {
		return []Form{{Kind: FormMap, Of: append(textForms(), Form{Kind: FormOff})}}
	}
	if kind, ok := plainForm(v); ok {
		return []Form{{Kind: kind, Min: f.min, Max: f.max}}
	}
	inner := *f
	inner.off = false
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			next := reflect.New(v.Type().Elem()).Elem()
			fillDefaults(next)
			return o.forms(next, &inner)
		}
		return o.forms(v.Elem(), &inner)
	case reflect.Struct:
		return []Form{{Kind: FormSettings, Group: o.group(v)}}
	case reflect.Map:
		return []Form{{Kind: FormMap, Of: o.items(v, &inner)}}
	case reflect.Slice:
		inner.one = false
		items := o.items(v, &inner)
		all = []Form{{Kind: FormList, Of: items}}
		if f.one {
			all = append(all, items...)
		}
		return all
	}
	return []Form{o.scalar(v, f)}
}

// items returns the forms of what a list or a map holds.
func (o *Outliner) items(v reflect.Value, f *field) []Form {
	item := reflect.New(v.Type().Elem()).Elem()
	fillDefaults(item)
	return o.forms(item, f)
}

// stated returns the forms behind one of ConfigForms.
func (o *Outliner) stated(form any) []Form {
	switch form := form.(type) {
	case Form:
		return []Form{form}
	case Fields:
		return []Form{{Kind: FormSettings, Group: o.group(addressable(form.Of))}}
	}
	return o.forms(addressable(form), &field{})
}

// textForms returns the forms of a text and of a list of texts.
func textForms() []Form {
	return []Form{{Kind: FormText}, {Kind: FormList, Of: []Form{{Kind: FormText}}}}
}

// plainForm returns the form of the types that the decoder knows.
func plainForm(v reflect.Value) (FormKind, bool) {
	switch v.Addr().Interface().(type) {
	case *Duration:
		return FormDuration, true
	case *Size:
		return FormSize, true
	case *Rate:
		return FormRate, true
	case *Share:
		return FormShare, true
	case *netip.Prefix:
		return FormNetwork, true
	case *netip.Addr:
		return FormIP, true
	case *regexp.Regexp:
		return FormRegexp, true
	case **Node, encoding.TextUnmarshaler:
		return FormText, true
	}
	return 0, false
}

func (o *Outliner) scalar(v reflect.Value, f *field) Form {
	form := Form{Min: f.min, Max: f.max}
	if words, ok := v.Addr().Interface().(Words); ok {
		form.Words = words.ConfigWords()
	}
	switch v.Kind() {
	case reflect.String:
		form.Kind = FormText
	case reflect.Bool:
		form.Kind = FormBool
	case reflect.Float32, reflect.Float64:
		form.Kind = FormNumber
	default:
		form.Kind = FormInteger
	}
	return form
}

// written returns how a default would be written, "" if it would not be.
func written(v reflect.Value, f *field) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "" // not set: something else holds
		}
		return written(v.Elem(), f)
	case reflect.Struct, reflect.Map, reflect.Interface:
		return ""
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, written(v.Index(i), &field{}))
		}
		if len(items) == 0 {
			return ""
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.String:
		return v.String()
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	if v.IsZero() && f.off {
		return "off"
	}
	return fmt.Sprint(v.Interface())
}
