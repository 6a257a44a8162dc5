package main

// From types to schemas: what encoding/json makes of a Go type, said in the words of JSON Schema. Types that write themselves are named here one
// by one; a type that does so and is not named is an error, for nobody could say what it writes.

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"avssnative/avss"
	"avssnative/internal/report"
)

// schema is a JSON Schema; encoding/json writes its keys in the order of the alphabet.
type schema map[string]any

// shapes gathers the definitions that a document refers to.
type shapes struct {
	said  map[string]string // what the source says of "package.Type" and "package.Type.Field"
	types map[string]reflect.Type
	defs  schema
}

func (d document) schema(said map[string]string) schema {
	s := &shapes{said: said, types: map[string]reflect.Type{}, defs: schema{}}
	out := s.object(d.of)
	properties := out["properties"].(schema)
	properties["schema"] = schema{"const": d.version, "description": "The version of this form."}
	for name, field := range d.beside {
		properties[name] = field
	}
	if len(d.beside) > 0 {
		out["required"] = slices.Sorted(slices.Values(append(out["required"].([]string), slices.Collect(maps.Keys(d.beside))...)))
	}
	out["$schema"], out["$id"], out["title"], out["$defs"] = "https://json-schema.org/draft/2020-12/schema", d.urn, d.title, s.defs
	return out
}

// of is the schema of a type's values.
func (s *shapes) of(t reflect.Type) schema {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem())
	}
	switch t {
	case reflect.TypeFor[avss.Value]():
		return s.defined(t, func() schema {
			return schema{"description": "A number; null where there is none, \"inf\" and \"-inf\" where it is infinite.",
				"oneOf": []schema{{"type": "number"}, {"type": "null"}, {"enum": []string{"inf", "-inf"}}}}
		})
	case reflect.TypeFor[avss.Values]():
		return schema{"type": "array", "items": s.of(reflect.TypeFor[avss.Value]())}
	case reflect.TypeFor[report.Tasks]():
		return schema{"type": "object", "additionalProperties": s.of(reflect.TypeFor[report.Task]())}
	case reflect.TypeFor[report.Phases]():
		return schema{"type": "object", "additionalProperties": schema{"type": "number"}}
	case reflect.TypeFor[avss.LayerRow]():
		return s.defined(t, s.layerRow)
	case reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	}
	if t.Implements(reflect.TypeFor[json.Marshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		panic(fmt.Sprintf("%v writes itself, and what it writes is not said here", t))
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.defined(t, func() schema { return s.object(t) })
	case reflect.Slice:
		return schema{"type": "array", "items": s.of(t.Elem())}
	case reflect.Array:
		return schema{"type": "array", "items": s.of(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	}
	panic(fmt.Sprintf("%v: nothing is known of such types", t))
}

// defined refers to a type's definition, which is made the first time.
func (s *shapes) defined(t reflect.Type, make func() schema) schema {
	name := t.Name()
	switch s.types[name] {
	case nil:
		s.types[name] = t // before it is made: a type may refer to itself
		s.defs[name] = make()
	case t:
	default:
		panic(fmt.Sprintf("%v and %v would have one name", t, s.types[name]))
	}
	return schema{"$ref": "#/$defs/" + name}
}

// object is the schema of a struct, the fields of embedded ones beside its own.
func (s *shapes) object(t reflect.Type) schema {
	out := schema{"type": "object", "properties": schema{}, "required": []string{}}
	s.fields(t, out, false)
	if text := s.said[t.String()]; text != "" {
		out["description"] = text
	}
	required := append([]string{}, out["required"].([]string)...)
	slices.Sort(required)
	out["required"] = required
	return out
}

// fields adds those of a struct; what is embedded by a pointer may be absent, and is so as a whole.
func (s *shapes) fields(t reflect.Type, out schema, absent bool) {
	properties, together := out["properties"].(schema), []string{}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			embedded, pointer := field.Type, field.Type.Kind() == reflect.Pointer
			if pointer {
				embedded = embedded.Elem()
			}
			s.fields(embedded, out, absent || pointer)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || !field.IsExported() {
			continue
		}
		value := s.of(field.Type)
		if text := s.said[t.String()+"."+field.Name]; text != "" {
			value = maps.Clone(value)
			value["description"] = text
		}
		properties[name] = value
		if !strings.Contains(options, "omit") {
			together = append(together, name)
		}
	}
	if !absent {
		out["required"] = append(out["required"].([]string), together...)
	} else if len(together) > 1 {
		out["dependentRequired"] = map[string][]string{together[0]: together[1:]}
	}
}

// layerRow is what avss.LayerRow writes: its scores stand beside index and sites.
func (s *shapes) layerRow() schema {
	return schema{"type": "object", "required": []string{"index"}, "description": s.said["avss.LayerRow"],
		"properties": schema{"index": schema{"type": "integer"},
			"sites": schema{"type": "object", "additionalProperties": s.of(reflect.TypeFor[avss.SiteSummary]())}},
		"additionalProperties": s.of(reflect.TypeFor[avss.Value]())}
}

// harness are the keys that lm-evaluation-harness's readers look for, as bench.Harness makes them.
func harness() map[string]schema {
	byTask := func(what string, value schema) schema {
		return schema{"type": "object", "additionalProperties": value, "description": what + ", by task"}
	}
	return map[string]schema{
		"results": byTask("metric,filter and metric_stderr,filter of the dense model, or N/A", schema{"type": "object",
			"required": []string{"alias"}, "properties": schema{"alias": schema{"type": "string"}},
			"additionalProperties": schema{"type": []string{"number", "string"}}}),
		"versions": byTask("the task's version", schema{"type": "string"}),
		"n-shot":   byTask("examples in front of each question", schema{"type": "integer"}),
		"n-samples": byTask("items", schema{"type": "object", "required": []string{"original", "effective"},
			"properties": schema{"original": schema{"type": "integer"}, "effective": schema{"type": "integer"}}}),
		"higher_is_better": byTask("by metric", schema{"type": "object", "additionalProperties": schema{"type": "boolean"}}),
	}
}
