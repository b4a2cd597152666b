package manual

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sluice/internal/config"
)

const referenceHead = `# Reference of settings

Made from the types that the configuration is decoded into, by ` + "`make manual`" + `: do not edit. ` + "`sluice schema`" + ` prints the same as JSON Schema for editors. How the
file is read, what inherits and what a message looks like: [configuration.md](configuration.md).

A key in bold is required. Where several ways to write a value are named, any of them will do.
`

// Reference returns the manual of all settings in Markdown.
func (m *Manual) Reference() string {
	r := &referenceWriter{m: m, places: map[*config.Group]string{}}
	r.out.WriteString(referenceHead)
	r.place(m.root, "")
	for _, first := range []string{"pools", "sites"} { // what others share is told where people look for it
		r.forms(m.root.Get(first).Forms, first)
	}
	for i := 0; i < len(r.order); i++ { // writing a group adds those that it refers to
		r.group(r.order[i])
	}
	return r.out.String()
}

// A referenceWriter writes groups in the order in which they are first referred to.
type referenceWriter struct {
	m      *Manual
	out    strings.Builder
	order  []*config.Group
	places map[*config.Group]string // where each was first referred to
}

// place notes where a group stands, if it is new.
func (r *referenceWriter) place(g *config.Group, where string) {
	if _, ok := r.places[g]; !ok {
		r.places[g] = where
		r.order = append(r.order, g)
	}
}

func (r *referenceWriter) group(g *config.Group) {
	title := "`" + r.places[g] + "`"
	if r.places[g] == "" {
		title = "The file"
	}
	fmt.Fprintf(&r.out, "\n## %s\n\n", title)
	if about := r.m.comment(g.Name, lastKey(r.places[g])); about != "" && g != r.m.root {
		fmt.Fprintf(&r.out, "%s\n\n", about)
	}
	r.out.WriteString("| key | value | default | what it is |\n|---|---|---|---|\n")
	for _, s := range g.Settings {
		key := "`" + s.Key + "`"
		if s.Required {
			key = "**" + key + "**"
		}
		value := ""
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&r.out, "| %s | %s | %s | %s |\n", key, cell(r.forms(s.Forms, join(r.places[g], s.Key))), cell(value), cell(r.m.about(s)))
	}
	if g.Others != nil {
		fmt.Fprintf(&r.out, "| NAME | %s | | |\n", cell(r.forms(g.Others, join(r.places[g], "NAME"))))
	}
}

func join(place, key string) string {
	if place == "" {
		return key
	}
	return place + "." + key
}

// lastKey is the last key of a place that is not a stand-in.
func lastKey(place string) string {
	keys := strings.Split(strings.ReplaceAll(place, "[]", ""), ".")
	for _, key := range slices.Backward(keys) {
		if key != "NAME" {
			return key
		}
	}
	return ""
}

// cell makes text fit for a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// forms says in words how a value is written.
func (r *referenceWriter) forms(forms []config.Form, place string) string {
	var all []string
	if len(forms) > 1 && forms[0].Kind == config.FormList && reflect.DeepEqual(forms[0].Of, forms[1:1+len(forms[0].Of)]) { // one may stand for a list
		all = append(all, r.forms(forms[0].Of, place), "a list of them")
		forms = forms[1+len(forms[0].Of):]
	}
	for _, f := range forms {
		if text := r.form(f, place); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

func (r *referenceWriter) form(f config.Form, place string) string {
	switch f.Kind {
	case config.FormBool:
		return "`true` or `false`"
	case config.FormInteger:
		return "whole number" + bounds(f)
	case config.FormNumber:
		return "number" + bounds(f)
	case config.FormDuration:
		return "time" + bounds(f)
	case config.FormSize:
		return "size" + bounds(f)
	case config.FormRate:
		return "rate"
	case config.FormShare:
		return "share"
	case config.FormNetwork:
		return "network"
	case config.FormIP:
		return "IP address"
	case config.FormRegexp:
		return "regular expression (RE2)"
	case config.FormList:
		return "list of " + r.forms(f.Of, place+"[]")
	case config.FormMap:
		return "names, each with " + r.forms(f.Of, join(place, "NAME"))
	case config.FormSettings:
		r.place(f.Group, place)
		return fmt.Sprintf("[`%s`](#%s)", r.places[f.Group], anchor(r.places[f.Group]))
	case config.FormOff:
		return "`off`"
	}
	if f.Words != nil {
		return "`" + strings.Join(f.Words, "`, `") + "`"
	}
	if f.Text != "" {
		return f.Text
	}
	return "text"
}

// bounds says in which range a value must be.
func bounds(f config.Form) string {
	switch {
	case f.Min != "" && f.Max != "":
		return fmt.Sprintf(" from %s to %s", f.Min, f.Max)
	case f.Min != "" && f.Min != "0" && f.Min != "0s":
		return " from " + f.Min + " on"
	case f.Max != "":
		return " up to " + f.Max
	}
	return ""
}

// anchor is the fragment that a heading has on the web.
func anchor(place string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
			return c
		}
		return -1
	}, place)
}
