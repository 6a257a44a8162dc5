// Command gen writes cuda/kernels_gen.go: for every kernel of kernels/cuda a Go function that takes what the kernel takes and gives the call,
// so that an argument of a wrong type, in a wrong place or too many does not compile. It reads the kernels' own parameter lists,
//
//	KERNEL(threads) name(type parameter, …) {
//
// also where a macro of the same file stamps out several. Beside it lies kernels_gen_test.go, the list of those functions for the test that
// holds them against the compiled kernels.
//
//	go run avssnative/kernels/cuda/gen [FOLDER OF kernels/cuda [FOLDER OF cuda]]
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	from, to := "../kernels/cuda", "."
	if len(os.Args) > 1 {
		from = os.Args[1]
	}
	if len(os.Args) > 2 {
		to = os.Args[2]
	}
	if err := run(from, to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	kernels, err := read(from)
	if err != nil {
		return err
	}
	for name, text := range map[string]func([]kernel) ([]byte, error){"kernels_gen.go": functions, "kernels_gen_test.go": table} {
		content, err := text(kernels)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
