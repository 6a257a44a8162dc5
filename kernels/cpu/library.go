//go:build !cgo && (amd64 || arm64) && (linux || darwin)

package cpu

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ebitengine/purego"
)

// libraryName is the file that is looked for beside the program.
func libraryName() string {
	if runtime.GOOS == "darwin" {
		return "libavssnative_cpu.dylib"
	}
	return "libavssnative_cpu.so"
}

// openLibrary opens the library that AVSSNATIVE_LIBCPU names, or the one beside the program; nil where there is none.
func openLibrary() (backend, string, error) {
	path := os.Getenv("AVSSNATIVE_LIBCPU")
	if path == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, "", nil
		}
		path = filepath.Join(filepath.Dir(program), libraryName())
		if _, err := os.Stat(path); err != nil {
			return nil, "", nil
		}
	}
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, "", fmt.Errorf("cpu: kernel library %s: %w", path, err)
	}
	s := &shared{}
	for name, to := range s.symbols() {
		address, err := purego.Dlsym(library, name)
		if err != nil {
			return nil, "", fmt.Errorf("cpu: kernel library %s: %w", path, err)
		}
		if at, ok := to.(*uintptr); ok {
			*at = address
		} else {
			purego.RegisterFunc(to, address)
		}
	}
	return s, path, nil
}
