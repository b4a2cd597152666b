package config

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// jsonReader walks the tokens of valid JSON and keeps count of lines and columns.
type jsonReader struct {
	*reader
	text         string
	tokens       *json.Decoder
	offset       int // in text, of line and column
	line, column int
}

// json reads text as JSON.
func (r *reader) json(text string) *Node {
	text, ok := r.strictJSON(text)
	if !ok {
		return nil
	}
	j := &jsonReader{reader: r, text: text, tokens: json.NewDecoder(strings.NewReader(text)), line: 1, column: 1}
	j.tokens.UseNumber()
	return j.value(0)
}

// next returns the next token and a node at its place.
func (j *jsonReader) next() (json.Token, *Node) {
	token, err := j.tokens.Token()
	if err != nil {
		return nil, &Node{Pos: Pos{j.file, j.line, j.column}, Width: 1}
	}
	for j.offset < len(j.text) && strings.IndexByte(" \t\r\n,:", j.text[j.offset]) >= 0 {
		j.advance()
	}
	n := &Node{Pos: Pos{j.file, j.line, j.column}}
	for j.offset < int(j.tokens.InputOffset()) {
		j.advance()
	}
	n.Width = max(j.column-n.Pos.Column, 1)
	return token, n
}

func (j *jsonReader) advance() {
	if j.text[j.offset] == '\n' {
		j.line, j.column = j.line+1, 0
	}
	_, size := utf8.DecodeRuneInString(j.text[j.offset:])
	j.offset += size
	j.column++
}

// value reads one value at the given depth.
func (j *jsonReader) value(depth int) *Node {
	token, n := j.next()
	switch token := token.(type) {
	case json.Delim:
		if depth >= depthMax {
			j.d.Errorf(n, "syntax", "nested deeper than %d levels", depthMax)
			j.skip()
			return n
		}
		if token == '{' {
			j.object(n, depth)
		} else {
			j.list(n, depth)
		}
	case string:
		// A JSON string can't be without quotes, so off is what it says in them, too.
		n.Kind, n.Value, n.Quoted = Scalar, token, token != "off"
		if j.garbled && strings.ContainsRune(token, garbled) {
			j.d.spoil(n) // what is wrong with its bytes has been said
		}
		j.expand(n)
	case json.Number:
		n.Kind, n.Value = Scalar, token.String()
	case bool:
		n.Kind, n.Value = Scalar, map[bool]string{true: "true", false: "false"}[token]
	}
	return n
}

func (j *jsonReader) object(n *Node, depth int) {
	n.Kind, n.flow = Map, true
	keys := map[string]*Node{}
	for j.tokens.More() {
		token, key := j.next()
		key.Kind, key.Quoted = Scalar, true
		key.Value, _ = token.(string)
		value := j.value(depth + 1)
		if value.Kind == Null {
			value.Pos, value.Width = key.Pos, key.Width
		}
		if strings.IndexFunc(key.Value, isControl) >= 0 {
			j.d.Errorf(key, "bad-key", "a control character in a key")
			n.gap = true
			continue
		}
		if first := keys[key.Value]; first != nil {
			j.duplicate(key, first)
			continue
		}
		keys[key.Value] = key
		n.Entries = append(n.Entries, Entry{key, value})
	}
	j.next()
}

func (j *jsonReader) list(n *Node, depth int) {
	n.Kind, n.flow = List, true
	for j.tokens.More() {
		n.Items = append(n.Items, j.value(depth+1))
	}
	j.next()
}

// skip reads on to the end of the map or list that was begun.
func (j *jsonReader) skip() {
	for open := 1; open > 0 && j.offset < len(j.text); {
		token, _ := j.next()
		switch token {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
}
