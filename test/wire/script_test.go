package wire

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// A script is a transcript as it is written: a comment, the config, and steps in order.
type script struct {
	file    string
	comment string
	steps   []*step
	config  *step
	only    string // which drivers it is for: "loops" (no goroutines), "single" (not several loops), "whole" (bytes are not cut), "" is all
}

// A step is one section: somebody does something, or something must have come to somebody.
type step struct {
	line   int    // of its marker, from 1
	marker string // between the dashes
	text   string
	actor  string // "client", "origin2"
	number int    // of the actor's connections, from 1: "origin#2" is the second
	verb   string // ">", "<", "connects", "closed", "broken", "gone", "unfinished"
	mode   string // what follows the verb
}

var (
	markerLine = regexp.MustCompile(`^-- (.+) --$`)
	stepForm   = regexp.MustCompile(`^(client|origin)(\w*)(?:#([2-9]))? (>|<|connects|closed|broken|gone|unfinished)(?: (.*))?$`)
)

// modes are what may follow a verb.
var modes = map[string]*regexp.Regexp{
	">":        regexp.MustCompile(`^(|end|reset|close)$`),
	"<":        regexp.MustCompile(`^(|head|body|part|bytes)$`),
	"connects": regexp.MustCompile(`^(from \S+)?( ?to :\d+)?$`),
	"closed":   regexp.MustCompile(`^$`),
	"broken":   regexp.MustCompile(`^$`),
	"gone":     regexp.MustCompile(`^$`),
	// The origin may have received something, but never a whole message.
	"unfinished": regexp.MustCompile(`^$`),
}

// readScript reads a file.
func readScript(file string) (*script, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &script{file: file}
	var last *step
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		m := markerLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case m != nil:
			last = &step{line: n, marker: m[1]}
			if err := s.add(last); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n, err)
			}
		case last == nil:
			s.comment += line
		default:
			last.text += line
		}
	}
	if s.config == nil {
		return nil, fmt.Errorf("%s: there is no config", file)
	}
	return s, nil
}

// add takes in a section.
func (s *script) add(st *step) error {
	if st.marker == "config" {
		s.config = st
		return nil
	}
	if only, ok := strings.CutPrefix(st.marker, "only "); ok && slices.Contains([]string{"loops", "single", "whole"}, only) {
		s.only = only
		st.verb = "only"
		s.steps = append(s.steps, st)
		return nil
	}
	m := stepForm.FindStringSubmatch(st.marker)
	if m == nil || !modes[m[4]].MatchString(m[5]) {
		return fmt.Errorf("%q is not a step", st.marker)
	}
	st.actor, st.number, st.verb, st.mode = m[1]+m[2], 1, m[4], m[5]
	if m[3] != "" {
		st.number = int(m[3][0] - '0')
	}
	s.steps = append(s.steps, st)
	return nil
}

// origins are the names of the origins that play a part, in order.
func (s *script) origins() (names []string) {
	seen := map[string]bool{}
	for _, st := range s.steps {
		if strings.HasPrefix(st.actor, "origin") && !seen[st.actor] {
			seen[st.actor] = true
			names = append(names, st.actor)
		}
	}
	return names
}

// write writes the script back to its file.
func (s *script) write() error {
	var b strings.Builder
	b.WriteString(s.comment)
	section := func(st *step) { fmt.Fprintf(&b, "-- %s --\n%s", st.marker, st.text) }
	section(s.config)
	for _, st := range s.steps {
		section(st)
	}
	return os.WriteFile(s.file, []byte(b.String()), 0o644)
}
