package collector

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzMembers checks that a line never adds a field to an entry that its JSON does not have, that every member of flat JSON is found, and that a value never
// holds a line break that the line did not.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"status":200,"path":"/a\"b,}","aborted":true,"ms":1.5}`))
	f.Add([]byte(`{"a":"\\","b":"\u000a"}`))
	f.Add([]byte(`{"a":,"b":1`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 {
			t.Skip() // a line has none
		}
		found := map[string]string{}
		for key, value := range members(line) {
			found[string(key)] = string(value)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(line, &want) != nil || !isOurs(line, want) {
			return
		}
		for key, value := range want {
			if got, ok := found[key]; !ok || got != strings.Trim(string(value), `"`) && string(value) != `"`+got+`"` {
				t.Errorf("%s: %s is %q, want %s", line, key, got, value)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: %d members, want %d", line, len(found), len(want))
		}
		entry := string(Journal{Tag: "x"}.entry(nil, line))
		if n := strings.Count(entry, "\n"); n != 3+len(found) {
			t.Errorf("%s: %d fields for %d members\n%s", line, n, len(found), entry)
		}
	})
}

// isOurs reports whether line is an object as the access log writes it: no spaces, no members twice, no values within values.
func isOurs(line []byte, want map[string]json.RawMessage) bool {
	var compact bytes.Buffer
	if json.Compact(&compact, line) != nil || !bytes.Equal(compact.Bytes(), line) {
		return false
	}
	size := len("{}") + max(len(want)-1, 0)
	for key, value := range want {
		if !isKey([]byte(key)) || len(value) > 0 && (value[0] == '{' || value[0] == '[') {
			return false
		}
		size += len(key) + len(`"":`) + len(value)
	}
	return size == len(line)
}
