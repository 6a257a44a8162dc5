// Command gen makes the Go side of the CPU kernels from what the C side says: the constants, the table of operations and the bindings from
// operations.def, the arguments from the structs of kernels.h. `go generate ./kernels/cpu` runs it; the test beside it fails where the files
// it made are not what it makes now.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// generate reads the two C files of a folder and returns the Go files by name.
func generate(folder string) (map[string][]byte, error) {
	definitions, err := os.ReadFile(filepath.Join(folder, "operations.def"))
	if err != nil {
		return nil, err
	}
	header, err := os.ReadFile(filepath.Join(folder, "kernels.h"))
	if err != nil {
		return nil, err
	}
	d, err := parseDefinitions(string(definitions))
	if err != nil {
		return nil, err
	}
	if d.structs, err = parseStructs(string(header)); err != nil {
		return nil, err
	}
	d.sources = append(definitions, header...)
	files := map[string][]byte{}
	for name, write := range map[string]func(*definitionSet) ([]byte, error){
		"operations_gen.go": writeOperations, "arguments_gen.go": writeArguments, "compiled_gen.go": writeCompiled, "shared_gen.go": writeShared,
	} {
		if files[name], err = write(d); err != nil {
			return nil, fmt.Errorf("gen: %s: %w", name, err)
		}
	}
	return files, nil
}

func main() {
	folder := "."
	files, err := generate(folder)
	for name, content := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), content, 0o666)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
