package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// kernel is one function that the device can launch.
type kernel struct {
	name, source string // source: its file, relative to kernels/cuda
	parameters   []parameter
}

// parameter has its C type without const, a pointer's with its star.
type parameter struct{ name, kind string }

// read gives the kernels of a folder and of hopper beneath it, by file and place.
func read(folder string) ([]kernel, error) {
	var list []kernel
	for _, pattern := range []string{"*.cu", "hopper/*.cu"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return nil, err
		}
		sort.Strings(files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			source, err := filepath.Rel(folder, file)
			if err != nil {
				return nil, err
			}
			found, err := parse(filepath.ToSlash(source), string(text))
			if err != nil {
				return nil, err
			}
			list = append(list, found...)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("gen: %s: no kernels", folder)
	}
	return list, nil
}

var (
	comment    = regexp.MustCompile(`//[^\n]*`)
	continued  = regexp.MustCompile(`\\\n`)
	macro      = regexp.MustCompile(`(?m)^#define (\w+)\(([^)]*)\) +(.*KERNEL\(.*)$`)
	definition = regexp.MustCompile(`KERNEL\([^)]*\)\s+(\w+)\s*\(([^)]*)\)\s*\{`)
	typed      = regexp.MustCompile(`^(?:const )?(\w+) (\*?)(\w+)$`)
	word       = regexp.MustCompile(`\b[A-Za-z_]\w*\b`)
)

// parse finds the kernels of one file.
func parse(source, text string) ([]kernel, error) {
	text = expand(continued.ReplaceAllString(comment.ReplaceAllString(text, ""), " "))
	var list []kernel
	for _, found := range definition.FindAllStringSubmatch(text, -1) {
		k := kernel{name: found[1], source: source}
		for _, p := range strings.Split(strings.Join(strings.Fields(found[2]), " "), ",") {
			part := typed.FindStringSubmatch(strings.TrimSpace(p))
			if part == nil {
				return nil, fmt.Errorf("gen: %s: %s: parameter %q, want a type and a name", source, k.name, p)
			}
			k.parameters = append(k.parameters, parameter{name: part[3], kind: part[1] + part[2]})
		}
		list = append(list, k)
	}
	if calls := strings.Count(text, "KERNEL("); calls != len(list) {
		return nil, fmt.Errorf("gen: %s: %d kernels, of which %d can be read", source, calls, len(list))
	}
	return list, nil
}

// expand replaces the macros that make kernels, and every use of them, by what the uses stand for.
func expand(text string) string {
	for _, found := range macro.FindAllStringSubmatch(text, -1) {
		name, names, body := found[1], strings.Split(found[2], ","), found[3]
		text = strings.Replace(text, found[0], "", 1)
		use := regexp.MustCompile(`(?m)^` + name + `\(([^)]*)\)`)
		text = use.ReplaceAllStringFunc(text, func(call string) string {
			values := strings.Split(use.FindStringSubmatch(call)[1], ",")
			replaced := map[string]string{}
			for i, n := range names {
				if i < len(values) {
					replaced[strings.TrimSpace(n)] = strings.TrimSpace(values[i])
				}
			}
			return word.ReplaceAllStringFunc(body, func(w string) string {
				if v, known := replaced[w]; known {
					return v
				}
				return w
			})
		})
	}
	return text
}
