package manual

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"sluice/internal/config"
)

// An object is a JSON object; keys are written in alphabetical order.
type object = map[string]any

// Patterns of values that JSON has no type for.
const (
	durationPattern  = `^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$`
	sizePattern      = `^[0-9]+(B|[KMGT]i?B)?$`
	ratePattern      = `^[0-9]+/[smhd]$`
	sharePattern     = `^[0-9]+(\.[0-9]{1,4})?%$`
	expansionPattern = `\$\{`
)

// Schema returns the JSON Schema (2020-12) of a configuration.
func (m *Manual) Schema() []byte {
	w := &schemaWriter{m: m, defs: object{
		"expansion": object{"type": "string", "pattern": expansionPattern, "description": "${NAME} or ${file:/path}: filled in when the file is read"},
	}}
	schema := w.group(m.root)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Configuration of Sluice"
	schema["$defs"] = w.defs
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		panic(err) // maps of strings, numbers and lists can always be written
	}
	return out.Bytes()
}

// A schemaWriter collects the groups that are referred to.
type schemaWriter struct {
	m    *Manual
	defs object
}

func (w *schemaWriter) group(g *config.Group) object {
	properties, required := object{}, []string{}
	for _, s := range g.Settings {
		property := w.anyOf(s.Forms)
		if about := w.m.about(s); about != "" {
			property["description"] = about
		}
		if value, ok := jsonDefault(s); ok {
			property["default"] = value
		}
		properties[s.Key] = property
		if s.Required {
			required = append(required, s.Key)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if g.Others != nil {
		schema["additionalProperties"] = w.anyOf(append(g.Others, config.Form{Kind: config.FormOff}))
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// jsonDefault returns a default as JSON has it.
func jsonDefault(s config.Setting) (any, bool) {
	if s.Default == "" {
		return nil, false
	}
	switch s.Forms[0].Kind {
	case config.FormInteger:
		if n, err := strconv.Atoi(s.Default); err == nil {
			return n, true
		}
	case config.FormBool:
		return s.Default == "true", true
	case config.FormList:
		if s.Default != "off" {
			return strings.Split(strings.Trim(s.Default, "[]"), ", "), true
		}
	}
	return s.Default, true
}

// anyOf returns the schema of a value that has one of these forms.
func (w *schemaWriter) anyOf(forms []config.Form) object {
	all := []object{}
	expands := false
	for _, f := range forms {
		all = append(all, w.form(f))
		expands = expands || isScalar(f.Kind) && f.Kind != config.FormText
	}
	if expands {
		all = append(all, object{"$ref": "#/$defs/expansion"})
	}
	if len(all) == 1 {
		return all[0]
	}
	return object{"anyOf": all}
}

func isScalar(kind config.FormKind) bool {
	switch kind {
	case config.FormList, config.FormMap, config.FormSettings, config.FormOff:
		return false
	}
	return true
}

func (w *schemaWriter) form(f config.Form) object {
	switch f.Kind {
	case config.FormBool:
		return object{"type": "boolean"}
	case config.FormInteger, config.FormNumber:
		return number(f)
	case config.FormDuration:
		return object{"type": "string", "pattern": durationPattern, "examples": []string{"250ms", "5s", "1h30m"}}
	case config.FormSize:
		return object{"type": []string{"string", "integer"}, "pattern": sizePattern, "minimum": 0, "examples": []string{"64KiB", "2MB"}}
	case config.FormRate:
		return object{"type": "string", "pattern": ratePattern, "examples": []string{"20/s", "100/m"}}
	case config.FormShare:
		return object{"type": "string", "pattern": sharePattern, "examples": []string{"1%", "0.05%", "100%"}}
	case config.FormNetwork:
		return object{"type": "string", "examples": []string{"10.0.0.0/8", "2001:db8::/32"}}
	case config.FormIP:
		return object{"type": "string", "examples": []string{"192.0.2.1", "2001:db8::1"}}
	case config.FormRegexp:
		return object{"type": "string", "format": "regex"}
	case config.FormList:
		return object{"type": "array", "items": w.anyOf(f.Of)}
	case config.FormMap:
		return object{"type": "object", "additionalProperties": w.anyOf(f.Of)}
	case config.FormSettings:
		return w.refer(f.Group)
	case config.FormOff:
		return object{"const": "off"}
	}
	return text(f)
}

// text is a string; YAML takes some texts, such as 8080 and true, for something else, and the decoder takes those, too.
func text(f config.Form) object {
	schema := object{"type": []string{"string", "number", "boolean"}}
	if f.Words != nil {
		schema = object{"enum": f.Words}
	}
	if f.Text != "" {
		schema["description"] = f.Text
	}
	return schema
}

func number(f config.Form) object {
	schema := object{"type": "integer"}
	if f.Kind == config.FormNumber {
		schema["type"] = "number"
	}
	for key, limit := range map[string]string{"minimum": f.Min, "maximum": f.Max} {
		if n, err := strconv.ParseFloat(limit, 64); err == nil {
			schema[key] = n
		}
	}
	return schema
}

// refer returns a reference to the schema of g.
func (w *schemaWriter) refer(g *config.Group) object {
	if _, ok := w.defs[g.Name]; !ok {
		w.defs[g.Name] = object{} // it can hold itself
		w.defs[g.Name] = w.group(g)
	}
	return object{"$ref": "#/$defs/" + g.Name}
}
