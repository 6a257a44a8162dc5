package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// allowed says what a room may import of the project. A name that ends in / stands for all below it. Rooms that are not named (commands,
// tools, test benches) may import anything but commands.
var allowed = map[string][]string{
	"engine/device":       {},
	"engine/cpu":          {"engine/device", "kernels/cpu"},
	"engine/reference":    {"engine/device"},
	"engine/weights":      {"engine/device", "internal/gguf", "internal/mapped", "internal/safetensors", "failure"},
	"engine/weights/demo": {"engine/weights", "internal/demo"},
	"engine/weights/hub":  {"engine/weights", "internal/hub"},
	"engine/arch":         {"engine/device", "engine/weights", "internal/gguf", "failure"},
	"engine":              {"engine/device", "engine/arch", "engine/null", "engine/weights", "failure"},
	"cuda":                {"engine/device", "internal/home", "kernels/cuda", "failure"},
	"kernels/cpu":         {"internal/gguf"},
	"kernels/cuda":        {},
	"tokenizer":           {"internal/gguf", "internal/mapped", "failure"},
	"calib":               {"engine", "tokenizer", "internal/corpus", "internal/home", "internal/mapped", "internal/smallworld", "failure"},
	"failure":             {},
	"avss":                {"engine", "engine/arch", "engine/device", "failure", "internal/mapped", "internal/nearest"},
	"prune": {"avss", "engine", "engine/arch", "engine/device", "engine/weights", "failure", "internal/gguf", "internal/mapped",
		"internal/report/escape", "internal/safetensors"},
	"bench": {"avss", "calib", "engine", "engine/arch", "engine/device", "engine/weights", "failure", "prune", "tokenizer", "internal/corpus",
		"internal/mapped", "internal/nearest", "internal/smallworld"},
	"internal/mapped":      {},
	"internal/nearest":     {},
	"internal/gguf":        {"internal/mapped", "failure"},
	"internal/safetensors": {"internal/mapped", "failure"},
	"internal/corpus":      {"internal/mapped"},
	"internal/home":        {},
	"internal/hub":         {"internal/home", "internal/mapped"},
	"internal/demo":        {"internal/home", "internal/mapped"},
	"internal/smallworld":  {},
	"internal/shaped":      {"internal/safetensors"},
	"internal/imatrix":     {"engine/device", "internal/gguf"},
	"internal/edited":      {"internal/gguf", "internal/safetensors"},
	"internal/devicetest":  {"engine/device", "engine/reference", "engine/weights"},
}

// heavy are packages of Go's library that a room may not even reach through others.
var heavy = map[string][]string{"engine": {"net/http", "embed"}}

// openDoors lists the imports that are not allowed.
func openDoors(imports map[string][]string) []string {
	var found []string
	for _, from := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range imports[from] {
			doors, held := allowed[from]
			if held && !slices.Contains(doors, to) || strings.HasPrefix(to, "cmd/") && from != "cmd/avssnative" {
				found = append(found, fmt.Sprintf("%s imports %s", from, to))
			}
		}
	}
	return found
}
