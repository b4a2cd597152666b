package collector

import (
	"bytes"
	"strconv"
	"time"

	"sluice/internal/observe/logfile"
)

// JournalSocket is where the systemd journal takes entries.
const JournalSocket = "/run/systemd/journal/socket"

// Journal is the systemd journal, by its native protocol: a datagram for each entry, a line for each field. It is a Place.
//
// A line is the field MESSAGE. If it is a flat JSON object, each of its members is a field, too: "status" is SLUICE_STATUS, as written in JSON, without quotes.
// So no value has a line break. The priority is that of an error for status 5xx, else informational.
type Journal struct {
	Socket string // its path, commonly JournalSocket
	Tag    string // SYSLOG_IDENTIFIER
}

// Open implements logfile.Place. It connects to nothing yet and does not fail.
func (j Journal) Open(func(error)) (logfile.Output, error) {
	return open("unixgram", j.Socket, func(dst, line []byte, _ time.Time) []byte { return j.entry(dst, line) })
}

func (j Journal) entry(dst, line []byte) []byte {
	dst = append(dst, "MESSAGE="...)
	dst = append(dst, line...)
	dst = append(dst, "\nSYSLOG_IDENTIFIER="...)
	dst = append(dst, j.Tag...)
	priority := 6
	for key, value := range members(line) {
		dst = append(dst, "\nSLUICE_"...)
		dst = append(dst, bytes.ToUpper(key)...)
		dst = append(dst, '=')
		dst = append(dst, value...)
		if string(key) == "status" && len(value) == 3 && value[0] == '5' {
			priority = 3
		}
	}
	dst = append(dst, "\nPRIORITY="...)
	dst = strconv.AppendInt(dst, int64(priority), 10)
	return append(dst, '\n')
}

// members yields the members of a flat JSON object as the access log writes it: keys are lower-case words, no space stands around anything. Strings come without
// quotes, with their escapes. It stops at what is anything else.
func members(line []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		rest, ok := bytes.CutPrefix(line, []byte("{"))
		for ok {
			var key, value []byte
			if rest, ok = bytes.CutPrefix(rest, []byte(`"`)); !ok {
				return
			}
			if key, rest, ok = bytes.Cut(rest, []byte(`":`)); !ok || !isKey(key) {
				return
			}
			if value, rest, ok = cutValue(rest); !ok || !yield(key, value) {
				return
			}
			rest, ok = bytes.CutPrefix(rest, []byte(","))
		}
	}
}

// isKey reports whether the name of a member can be that of a journal's field.
func isKey(key []byte) bool {
	for _, c := range key {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return len(key) > 0 && len(key) <= 40
}

// cutValue splits a value off, which ends at a comma or the end of the object.
func cutValue(b []byte) (value, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		end := bytes.IndexAny(b, ",}")
		if end < 1 {
			return nil, nil, false
		}
		return b[:end], b[end:], true
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:], true
		}
	}
	return nil, nil, false
}
