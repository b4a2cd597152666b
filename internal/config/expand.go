package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// secretMax is how large a file may be that ${file:…} names, in bytes.
const secretMax = 1 << 20

// expand fills in ${NAME} and ${file:PATH} in a scalar and marks it as a secret. What stands in a written tree for a secret is refused: it must not take the secret's place. $${ stands for ${ itself. What was filled in is not looked at again.
func (r *reader) expand(n *Node) {
	if n.Value == hidden {
		r.d.Hintf(n, "hidden-value", "write it, or ${file:PATH}", "this stands for a secret that is not shown")
		return
	}
	if !strings.Contains(n.Value, "${") {
		return
	}
	written := n.Value
	var out strings.Builder
	rest := written
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			break
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before[:len(before)-1] + "${")
			rest = after
			continue
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			r.d.Hintf(n, "bad-variable", "write $${ for ${ itself", "${ is not closed by }")
			return
		}
		place := r.reference(n, "${"+name+"}")
		value := r.lookup(place, name)
		if r.d.isFaulty(place) {
			r.d.spoil(n)
		}
		r.d.keepSecret(value)
		out.WriteString(before + value)
		n.Secret, n.Written = true, written
		rest = tail
	}
	out.WriteString(rest)
	// Inside { } a variable has to stand in quotes, so they say nothing about the type.
	n.Value, n.Quoted = out.String(), false
}

// maskMin is the shortest text that Mask hides, in bytes: a shorter one, such as a port, is no secret, and would be found everywhere.
const maskMin = 4

// A mask finds a secret in a text, however its bytes are escaped there.
type mask struct {
	secret  string
	spelled *regexp.Regexp
}

// keepSecret notes what was filled in.
func (d *Decoder) keepSecret(value string) {
	if len(value) < maskMin || slices.ContainsFunc(d.secrets, func(m mask) bool { return m.secret == value }) {
		return
	}
	d.secrets = append(d.secrets, mask{secret: value})
	slices.SortStableFunc(d.secrets, func(a, b mask) int { return len(b.secret) - len(a.secret) }) // one may be part of another
}

// Mask returns text without what ${…} has filled in, also as it stands in a URI: it is for what is shown of a built config, such as the head of a request.
func (d *Decoder) Mask(text string) string {
	for i := range d.secrets {
		m := &d.secrets[i]
		if m.spelled == nil {
			m.spelled = spellings(m.secret)
		}
		text = strings.ReplaceAll(text, m.secret, hidden)
		text = m.spelled.ReplaceAllLiteralString(text, hidden)
	}
	return text
}

// spellings returns an expression for text with any of its bytes percent-encoded, and with "+" for spaces.
func spellings(text string) *regexp.Regexp {
	var b strings.Builder
	for _, r := range text {
		b.WriteString("(?:" + regexp.QuoteMeta(string(r)) + "|(?i:")
		for _, c := range []byte(string(r)) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		b.WriteByte(')')
		if r == ' ' {
			b.WriteString(`|\+`)
		}
		b.WriteByte(')')
	}
	return regexp.MustCompile(b.String())
}

// reference is a node at the place of text in the source of n, for messages.
func (r *reader) reference(n *Node, text string) *Node {
	line := r.rest(n.Pos)
	i := strings.Index(line, text)
	if i < 0 {
		return n
	}
	place := *n
	place.Pos.Column += utf8.RuneCountInString(line[:i])
	place.Width = utf8.RuneCountInString(text)
	return &place
}

// lookup returns the value of a variable or the content of a file, "" after an error.
func (r *reader) lookup(at *Node, name string) string {
	path, isFile := strings.CutPrefix(name, "file:")
	switch {
	case isFile:
		return r.secretFile(at, path)
	case !isVariable(name):
		r.d.Hintf(at, "bad-variable", variableHint(name), "%q is not the name of an environment variable, nor file: with a path", name)
		return ""
	}
	value, ok := r.src.Getenv(name)
	if !ok {
		r.d.Errorf(at, "unset-variable", "environment variable %q is not set", name)
	}
	return value
}

// variableHint says what may have been meant by a wrong name of a variable, in the words of shells and other programs.
func variableHint(name string) string {
	scheme, rest, _ := strings.Cut(name, ":")
	switch word, _, _ := strings.Cut(name, ":-"); {
	case strings.EqualFold(scheme, "file"):
		return fmt.Sprintf("did you mean %q?", "${file:"+rest+"}")
	case strings.EqualFold(scheme, "env") && isVariable(rest):
		return fmt.Sprintf("did you mean %q?", "${"+rest+"}")
	case word != name && isVariable(word):
		return fmt.Sprintf("a variable has no default here: write %q", "${"+word+"}")
	case isVariable(strings.TrimSpace(name)):
		return fmt.Sprintf("did you mean %q?", "${"+strings.TrimSpace(name)+"}")
	}
	return "write $${ for ${ itself"
}

// secretFile returns the content of a file without the line break at its end. A relative path begins at the folder of the configuration file.
func (r *reader) secretFile(at *Node, path string) string {
	if path == "" {
		r.d.Errorf(at, "bad-variable", "a path belongs after file:")
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file), path)
	}
	content, err := r.src.ReadFile(path)
	switch {
	case err != nil:
		r.d.Errorf(at, "cannot-read", "%s: %s", path, reason(err))
	case len(content) > secretMax:
		r.d.Errorf(at, "too-large", "%s: a file that is filled in is at most %v", path, Size(secretMax))
	case !utf8.Valid(content):
		r.d.Errorf(at, "encoding", "%s is not valid UTF-8", path)
	default:
		return strings.TrimRight(string(content), "\r\n")
	}
	return ""
}

// FileError says which file can't be read and why, without the name of the operation.
func FileError(path string, err error) error { return fmt.Errorf("%s: %s", path, reason(err)) }

// reason is the cause of a failed file operation, without the path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "no such file or directory"
	}
	return fmt.Sprint(err)
}

// isVariable reports whether name is letters, digits and underscores, and does not begin with a digit.
func isVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
