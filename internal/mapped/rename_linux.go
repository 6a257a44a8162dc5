package mapped

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// noReplace renames and replaces nothing.
func noReplace(from, to string) error { return renameat2(from, to, unix.RENAME_NOREPLACE) }

// exchange swaps two names in one step.
func exchange(a, b string) error { return renameat2(a, b, unix.RENAME_EXCHANGE) }

// renameat2 is errors.ErrUnsupported where the kernel or the file system does not know the flag (EINVAL: network file systems).
func renameat2(from, to string, flag uint) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flag)
	if err == unix.EINVAL {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return &os.LinkError{Op: "renameat2", Old: from, New: to, Err: err}
	}
	return nil
}
