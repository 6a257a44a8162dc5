package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
)

// comments gives what the sources of some rooms say of their types ("package.Type") and of the fields of structs ("package.Type.Field").
func comments(root string, rooms ...string) (map[string]string, error) {
	said := map[string]string{}
	for _, room := range rooms {
		paths, err := filepath.Glob(filepath.Join(root, room, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("%s: no sources: %w", filepath.Join(root, room), fs.ErrNotExist)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			ofFile(file, said)
		}
	}
	return said, nil
}

// ofFile gathers what one file says.
func ofFile(file *ast.File, said map[string]string) {
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, specification := range general.Specs {
			kind, ok := specification.(*ast.TypeSpec)
			if !ok {
				continue
			}
			name := file.Name.Name + "." + kind.Name.Name
			said[name] = first(kind.Doc, general.Doc)
			body, ok := kind.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range body.Fields.List {
				for _, of := range field.Names {
					said[name+"."+of.Name] = first(field.Doc, field.Comment)
				}
			}
		}
	}
}

// first is the first of some comments that says anything, in one line.
func first(groups ...*ast.CommentGroup) string {
	for _, group := range groups {
		if text := strings.Join(strings.Fields(group.Text()), " "); text != "" {
			return text
		}
	}
	return ""
}
