// Package manual tells people and their editors what can be set: a JSON Schema and a reference, both made from the Go types that the configuration is decoded into,
// with their defaults, limits and doc comments. There is no second list of settings that could be wrong.
//
// The comments are taken from the sources by "make manual" and built in as comments.json; a test fails when they, docs/reference.md or docs/sluice.schema.json
// are not up to date. It reads no configuration: that is config's.
package manual

import (
	_ "embed"
	"encoding/json"
	"strings"

	"sluice/internal/build"
	"sluice/internal/config"
)

//go:embed comments.json
var commentsJSON []byte

// A Manual is all settings with what is to be said of them.
type Manual struct {
	root     *config.Group
	comments map[string]string
}

// New returns a manual with these doc comments, by "config.Pool.Servers".
func New(comments map[string]string) *Manual { return &Manual{build.Outline(), comments} }

// BuiltIn returns the manual of this build.
func BuiltIn() *Manual {
	comments := map[string]string{}
	_ = json.Unmarshal(commentsJSON, &comments) // a test has read it
	return New(comments)
}

// about is what the doc comment of a setting says, with the key in the place of the Go name.
func (m *Manual) about(s config.Setting) string {
	if s.Field == "" { // a feature
		return m.comment(s.Owner, s.Key)
	}
	text := m.comments[s.Owner+"."+s.Field]
	if rest, ok := strings.CutPrefix(text, s.Field+" "); ok {
		return "`" + s.Key + "` " + rest
	}
	return text
}

// comment is what the doc comment of a type says, with name in the place of the Go name.
func (m *Manual) comment(owner, name string) string {
	text := m.comments[owner]
	word := owner[strings.LastIndexByte(owner, '.')+1:]
	for _, article := range []string{"", "A ", "An "} {
		if rest, ok := strings.CutPrefix(text, article+word+" "); ok {
			return "`" + name + "` " + rest
		}
	}
	return text
}
