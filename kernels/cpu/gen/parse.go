package main

import (
	"fmt"
	"regexp"
	"strings"
)

// An entry is one line of operations.def: MACRO(arguments…) and its comment.
type entry struct {
	arguments []string
	comment   string
}

// A parameter of a function, or a field of a struct: its C type without const, and its dimension where it is an array.
type parameter struct {
	kind, name, dimension string
}

// A function that the library exports.
type function struct {
	result, name, comment string
	parameters            []parameter
}

// A line of fields of one type, and its comment.
type fieldLine struct {
	fields  []parameter
	comment string
}

// A structure of kernels.h, named without avss_.
type structure struct {
	name, comment string
	lines         []fieldLine
}

// A definitionSet is all that the C side says.
type definitionSet struct {
	constants, isas, types, operations, results []entry
	functions                                   []function
	structs                                     []structure
	sources                                     []byte
}

var entryLine = regexp.MustCompile(`^(CONSTANT|ISA|TYPE|OPERATION|RESULT|FUNCTION)\((.*)\)(?: /\* (.*) \*/)?$`)

// parseDefinitions reads operations.def.
func parseDefinitions(text string) (*definitionSet, error) {
	d := &definitionSet{}
	lists := map[string]*[]entry{"CONSTANT": &d.constants, "ISA": &d.isas, "TYPE": &d.types, "OPERATION": &d.operations, "RESULT": &d.results}
	columns := map[string]int{"CONSTANT": 2, "ISA": 2, "TYPE": 3, "OPERATION": 5, "RESULT": 1, "FUNCTION": 3}
	for i, line := range strings.Split(text, "\n") {
		m := entryLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		e := entry{splitArguments(m[2]), m[3]}
		if len(e.arguments) != columns[m[1]] {
			return nil, fmt.Errorf("gen: operations.def: line %d: %s of %d columns, want %d", i+1, m[1], len(e.arguments), columns[m[1]])
		}
		if m[1] != "FUNCTION" {
			*lists[m[1]] = append(*lists[m[1]], e)
			continue
		}
		f := function{result: pointerless(e.arguments[0]), name: e.arguments[1], comment: e.comment}
		for _, p := range splitArguments(strings.Trim(e.arguments[2], "()")) {
			if p == "void" {
				continue
			}
			fields, err := parseFields(p)
			if err != nil {
				return nil, fmt.Errorf("gen: operations.def: line %d: %w", i+1, err)
			}
			f.parameters = append(f.parameters, fields...)
		}
		d.functions = append(d.functions, f)
	}
	return d, nil
}

// splitArguments cuts at the commas outside parentheses.
func splitArguments(text string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(text[from:i]))
				from = i + 1
			}
		}
	}
	return append(parts, strings.TrimSpace(text[from:]))
}

// pointerless is a type as the generator names it: `pointer` for any pointer.
func pointerless(kind string) string {
	if strings.Contains(kind, "*") {
		return "pointer"
	}
	return strings.TrimSpace(strings.TrimPrefix(kind, "const "))
}

var declaration = regexp.MustCompile(`^(?:const )?(\w+) (.*)$`)
var declarator = regexp.MustCompile(`^(?:\*|const )*(\w+)(?:\[(\w+)\])?$`)

// parseFields reads a declaration of one or more names, without its semicolon.
func parseFields(text string) ([]parameter, error) {
	m := declaration.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("no declaration: %q", text)
	}
	var fields []parameter
	for _, name := range splitArguments(m[2]) {
		n := declarator.FindStringSubmatch(name)
		if n == nil {
			return nil, fmt.Errorf("no name of a field: %q", name)
		}
		f := parameter{kind: m[1], name: n[1], dimension: n[2]}
		if strings.Contains(name, "*") {
			f.kind = "pointer"
		}
		fields = append(fields, f)
	}
	return fields, nil
}

var blockComment = regexp.MustCompile(`(?s)/\*(.*?)\*/`)
var structBody = regexp.MustCompile(`(?s)(?:/\*((?:[^*]|\*[^/])*)\*/\n)?typedef struct \{\n(.*?)\} avss_(\w+);`)

// parseStructs reads the structs of kernels.h.
func parseStructs(text string) ([]structure, error) {
	var structs []structure
	for _, m := range structBody.FindAllStringSubmatch(text, -1) {
		s := structure{name: m[3], comment: flatten(m[1])}
		for _, line := range strings.Split(strings.TrimSpace(m[2]), "\n") {
			var comment string
			if c := blockComment.FindStringSubmatch(line); c != nil {
				comment = flatten(c[1])
			}
			code := strings.TrimSpace(blockComment.ReplaceAllString(line, ""))
			fields, err := parseFields(strings.TrimSuffix(code, ";"))
			if err != nil || !strings.HasSuffix(code, ";") {
				return nil, fmt.Errorf("gen: kernels.h: avss_%s: one declaration a line, found %q", s.name, line)
			}
			s.lines = append(s.lines, fieldLine{fields, comment})
		}
		structs = append(structs, s)
	}
	return structs, nil
}

// flatten joins a comment's lines.
func flatten(comment string) string {
	lines := strings.Split(comment, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "* "))
	}
	return strings.TrimSpace(strings.Join(lines, " "))
}
