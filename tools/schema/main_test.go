package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"avssnative/avss"
	"avssnative/bench"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// TestCurrent holds the files against the types.
func TestCurrent(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(root, folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is made by nothing", path)
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the types give: run go run ./tools/schema", name)
		}
	}
}

// What encoding/json writes of a value that has every field is what the schemas name, no more and no less.
func TestEveryField(t *testing.T) {
	for _, d := range documents() {
		value := reflect.New(d.of)
		fill(value.Elem())
		object := plain(t, value.Interface()).(map[string]any)
		if d.beside != nil {
			result := bench.Result{Task: "one", Version: "1", N: 1, Metrics: []bench.Metric{{Name: "acc", Value: 1}}}
			maps.Copy(object, plain(t, bench.Harness([]bench.Result{result})).(map[string]any))
		}
		written, named := map[string]bool{}, map[string]bool{}
		written[""] = true
		paths(object, "", written)
		data, err := os.ReadFile(filepath.Join(root, folder, d.file))
		if err != nil {
			t.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		schemaPaths(s, s, "", named)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(written)), slices.Sorted(maps.Keys(named))); diff != "" {
			t.Errorf("%s: - written, + in the schema:\n%s", d.file, diff)
		}
		if len(named) < 40 {
			t.Errorf("%s: names %d fields", d.file, len(named))
		}
	}
}

// fill gives every exported field something that is not zero, lists and maps one element.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
		return
	case avss.LayerRow:
		var site avss.SiteSummary
		fill(reflect.ValueOf(&site).Elem())
		v.Set(reflect.ValueOf(avss.LayerRow{Index: 1, Sites: map[string]avss.SiteSummary{"any": site}, Scores: map[string]avss.Value{"any": 1}}))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Tag.Get("json") != "-" {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("any"), element)
	case reflect.String:
		v.SetString("any")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64, reflect.Float32:
		v.SetFloat(1)
	default:
		v.SetInt(1)
	}
}

// plain is a value as JSON has it.
func plain(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// free are the names that stand for any in the values of this test.
var free = []string{"any", "one", "acc", "acc,none", "acc_stderr,none"}

// paths gathers the fields below a value, elements and free names as *.
func paths(value any, at string, into map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if slices.Contains(free, name) {
				name = "*"
			}
			into[at+"/"+name] = true
			paths(field, at+"/"+name, into)
		}
	case []any:
		for _, element := range value {
			into[at+"/*"] = true
			paths(element, at+"/*", into)
		}
	}
}

// schemaPaths gathers the same of a schema.
func schemaPaths(whole, s map[string]any, at string, into map[string]bool) {
	into[at] = true
	if to, ok := s["$ref"].(string); ok {
		name := filepath.Base(to)
		schemaPaths(whole, whole["$defs"].(map[string]any)[name].(map[string]any), at, into)
		return
	}
	properties, _ := s["properties"].(map[string]any)
	for name, field := range properties {
		schemaPaths(whole, field.(map[string]any), at+"/"+name, into)
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if field, ok := s[key].(map[string]any); ok {
			schemaPaths(whole, field, at+"/*", into)
		}
	}
}
