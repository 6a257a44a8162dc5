// Command schema writes the JSON Schemas (draft 2020-12) of what the program saves and prints from the Go types themselves, so that none of their
// fields is missing and none is invented; what the fields mean is their comments in the source:
//
//	go run ./tools/schema         # writes docs/schema
//
// Its tests hold the files against the types, and against values that have every field.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"avssnative/avss"
	"avssnative/internal/report"
)

// folder is where the schemas lie in the module.
const folder = "docs/schema"

// document is one schema: what it is of, and the type that is written.
type document struct {
	file, urn, title string
	of               reflect.Type
	version          int
	beside           map[string]schema // fields that stand beside those of the type
}

// documents are the schemas there are.
func documents() []document {
	return []document{
		{file: "report.schema.json", urn: "urn:avssnative:report:1", of: reflect.TypeFor[report.Report](), version: report.Schema,
			title: "report.json, and what run, score, prune and bench print with --json"},
		{file: "eval.schema.json", urn: "urn:avssnative:eval:1", of: reflect.TypeFor[report.Report](), version: report.Schema, beside: harness(),
			title: "What eval prints with --json: a report, with the keys of lm-evaluation-harness beside its own"},
		{file: "scores.schema.json", urn: "urn:avssnative:scores:1", of: reflect.TypeFor[avss.File](), version: avss.FileSchema,
			title: "scores.json, which score --out and merge write and prune --scores reads"},
	}
}

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// write puts the schemas of the module at root where they belong.
func write(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(root, folder, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate gives each schema's text by the name of its file.
func generate(root string) (map[string][]byte, error) {
	said, err := comments(root, "avss", "prune", "internal/report")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, d := range documents() {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(d.schema(said)); err != nil {
			return nil, fmt.Errorf("%s: %w", d.file, err)
		}
		files[d.file] = b.Bytes()
	}
	return files, nil
}
