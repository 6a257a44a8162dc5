//go:build !cgo || (!amd64 && !arm64)

package cpu

import "fmt"

// openBackend opens the shared library of kernels where there is one, and else serves plain Go.
func openBackend() (backend, []string, error) {
	b, path, err := openLibrary()
	if err != nil {
		return nil, nil, err
	}
	if b != nil {
		return b, []string{fmt.Sprintf("kernels from %s (this program was built without cgo)", path)}, check(b)
	}
	return plain{}, []string{
		"this program was built without cgo and found no library of kernels (beside the program, or AVSSNATIVE_LIBCPU): products by gonum, " +
			"about 10 times slower than AVX2 and 25 times slower than AVX-512 kernels, all else in plain Go",
	}, nil
}
