//go:build !linux && !darwin

package mapped

import "errors"

func noReplace(from, to string) error { return errors.ErrUnsupported }

func exchange(a, b string) error { return errors.ErrUnsupported }
