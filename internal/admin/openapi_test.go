package admin

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// object is a JSON object; encoding/json sorts its keys.
type object = map[string]any

// describe makes the description of the API from its resources, the types that they take and give, and the doc comments of those.
func describe(t *testing.T) []byte {
	t.Helper()
	schemas := object{"Error": schemaOf(reflect.TypeFor[apiError](), nil, nil)}
	d := &describer{comments: commentsOf(t), schemas: schemas}
	paths := map[string]object{}
	for _, r := range (&Server{}).resources() {
		if paths[r.path] == nil {
			paths[r.path] = object{}
		}
		paths[r.path][strings.ToLower(r.method)] = d.operation(r)
	}
	text, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Sluice admin API", "version": "1",
			"description": "What an operator can ask of a running Sluice. Over the Unix socket whoever may open it may do all; over TCP requests need the token.",
		},
		"paths":      paths,
		"components": object{"schemas": schemas, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
		"security":   []any{object{}, object{"token": []any{}}},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`\u003c`), []byte("<")), []byte(`\u003e`), []byte(">")), '\n')
}

type describer struct {
	comments map[string]string
	schemas  object
}

func (d *describer) operation(r resource) object {
	var parameters []any
	for part := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			parameters = append(parameters, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, p := range r.query {
		parameters = append(parameters, object{"name": p.name, "in": "query", "description": p.about, "schema": object{"type": "string"}})
	}
	responses := object{"200": object{"description": "Done", "content": d.content(r)}}
	for _, status := range r.statuses {
		responses[fmt.Sprint(status)] = object{"description": http.StatusText(status), "content": object{"application/json": object{"schema": d.refused(r, status)}}}
	}
	o := object{"summary": r.summary, "responses": responses}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if r.body == "" {
		o["requestBody"] = object{"content": object{"application/yaml": object{}, "application/json": object{}}}
	} else if r.body != nil {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.body))}}}
	}
	return o
}

// refused is what an answer holds that is not 200: what it is about if it is there, and an error if the request itself was wrong.
func (d *describer) refused(r resource, status int) any {
	if reflect.TypeOf(r.answer) == reflect.TypeFor[Outcome]() && status != http.StatusBadRequest {
		return d.schema(reflect.TypeFor[Outcome]())
	}
	return object{"$ref": "#/components/schemas/Error"}
}

func (d *describer) content(r resource) object {
	if r.mediaType != "" {
		return object{r.mediaType: object{"schema": object{"type": "string"}}}
	}
	if r.answer == nil {
		return object{"application/json": object{}}
	}
	return object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.answer))}}
}

// schema is that of a type: a reference for a struct.
func (d *describer) schema(t reflect.Type) any {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return schemaOf(t, d, nil)
	}
	if d.schemas[t.Name()] == nil {
		d.schemas[t.Name()] = object{} // holds its place
		d.schemas[t.Name()] = schemaOf(t, d, d.comments)
	}
	return object{"$ref": "#/components/schemas/" + t.Name()}
}

func schemaOf(t reflect.Type, d *describer, comments map[string]string) any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return d.schema(t.Elem())
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case t.Kind() == reflect.Map:
		return object{"type": "object"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Float64:
		return object{"type": "number"}
	case t.Kind() != reflect.Struct:
		return object{"type": "integer"}
	}
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		var schema any
		if f.Type.Kind() == reflect.Struct && f.Type.Name() == "" {
			schema = schemaOf(f.Type, d, nil)
		} else if d == nil {
			schema = schemaOf(f.Type, nil, nil)
		} else {
			schema = d.schema(f.Type)
		}
		if text := comments[t.Name()+"."+f.Name]; text != "" {
			if o := schema.(object); o["$ref"] == nil {
				o["description"] = text
			}
		}
		properties[name] = schema
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// commentsOf returns the doc comments of the fields of this package's types, by "Status.PID".
func commentsOf(t *testing.T) map[string]string {
	t.Helper()
	comments := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, name := range f.Names {
						comments[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
			return false
		})
	}
	return comments
}

func TestTheDescriptionIsUpToDate(t *testing.T) {
	want := describe(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(openAPI, want) {
		t.Error(`openapi.json is out of date: run "make manual"`)
	}
}

// Who reads the description knows what each thing is.
func TestTheDescriptionExplainsEverything(t *testing.T) {
	var d struct {
		Paths      map[string]map[string]struct{ Summary string }
		Components struct {
			Schemas map[string]struct {
				Properties map[string]object
			}
		}
	}
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	for path, operations := range d.Paths {
		for method, o := range operations {
			if o.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
		}
	}
	for name, schema := range d.Components.Schemas {
		for property, of := range schema.Properties {
			if name != "Error" && of["description"] == nil && of["$ref"] == nil {
				t.Errorf("%s.%s has no description", name, property)
			}
		}
	}
	for _, want := range []string{"/v1/status", "/v1/config", "/v1/events", "/v1/pools/{pool}/endpoints/{endpoint}/drain"} {
		if d.Paths[want] == nil {
			t.Errorf("%s is not described", want)
		}
	}
}

func TestTheServerDescribesItself(t *testing.T) {
	_, path := serving(t, sources())
	code, content, _ := ask(t, client(t, path), "GET", "http://s/v1/openapi.json")
	if code != 200 || content != string(openAPI) || !slices.Contains([]byte(content), '{') {
		t.Error(code)
	}
}
