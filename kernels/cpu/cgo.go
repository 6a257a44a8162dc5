//go:build cgo && (amd64 || arm64)

package cpu

// Lines suffice to find a fault in the kernels: with all that -g says of them they take half as long again to compile.

// #cgo CFLAGS: -std=c11 -O3 -g1 -Wall -Wextra
// #cgo !windows LDFLAGS: -lm
import "C"

// openBackend serves the kernels that are compiled in.
func openBackend() (backend, []string, error) { return compiled{}, nil, check(compiled{}) }
