//go:build !cgo || (!amd64 && !arm64)

package cpu

import "errors"

func reach() (backend, []string, error) {
	return nil, nil, errors.New("cpu: this program was built without its compiled kernels (CGO_ENABLED=0)")
}
