package config

import (
	"fmt"
	"reflect"
	"strings"
)

// A shape is what the decoder knows of a struct type: its tags, read once.
//
// A tag is `conf:"key"` with options: required; off (the word off gives the zero value, or a nil pointer to a struct); one (a single value may stand for a
// list); text (line breaks and tabs are allowed); secret (the value is never shown); min=X and max=X for numbers, sizes and times. `conf:",rest"` on a []Entry takes the settings of features,
// `conf:",node"` on a *Node the node itself. A struct that is embedded without a tag is part of its parent. A field without a tag is not a setting.
type shape struct {
	fields map[string]*field
	keys   []string // in the order of the struct
	rest   []int    // index of the field for the settings of features, nil if there is none
	nodes  [][]int  // indexes of the fields for the node itself
}

// A field is one setting of a struct.
type field struct {
	key                      string
	index                    []int // for reflect.Value.FieldByIndex
	required, off, one, text bool
	secret                   bool
	min, max                 string // as written in the tag, "" for none
}

// shapeOf returns the shape of t, a struct type. A wrong tag is a mistake in the program and panics.
func (d *Decoder) shapeOf(t reflect.Type) *shape {
	if s, ok := d.shapes[t]; ok {
		return s
	}
	s := &shape{fields: map[string]*field{}}
	s.collect(t, nil)
	if d.shapes == nil {
		d.shapes = map[reflect.Type]*shape{}
	}
	d.shapes[t] = s
	return s
}

func (s *shape) collect(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), prefix...), i)
		tag, tagged := f.Tag.Lookup("conf")
		if !tagged {
			if f.Anonymous && f.Type.Kind() == reflect.Struct {
				s.collect(f.Type, index)
			}
			continue
		}
		s.add(parseTag(t, tag), index)
	}
}

func (s *shape) add(f *field, index []int) {
	switch f.key {
	case ",rest":
		s.rest = index
	case ",node":
		s.nodes = append(s.nodes, index)
	default:
		f.index = index
		s.fields[f.key] = f
		s.keys = append(s.keys, f.key)
	}
}

func parseTag(t reflect.Type, tag string) *field {
	if tag == ",rest" || tag == ",node" {
		return &field{key: tag}
	}
	options := strings.Split(tag, ",")
	f := &field{key: options[0]}
	for _, option := range options[1:] {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "required":
			f.required = true
		case "off":
			f.off = true
		case "one":
			f.one = true
		case "text":
			f.text = true
		case "secret":
			f.secret = true
		case "min":
			f.min = value
		case "max":
			f.max = value
		default:
			panic(fmt.Sprintf("config: option %q of a tag of %v is not known", option, t))
		}
	}
	return f
}

// Keys returns the keys that a struct takes, in the order of its fields, without those of features.
func Keys(of any) []string {
	t := reflect.TypeOf(of)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return (&Decoder{}).shapeOf(t).keys
}
