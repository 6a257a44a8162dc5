package mapped

import (
	"os"

	"golang.org/x/sys/unix"
)

// noReplace renames and replaces nothing.
func noReplace(from, to string) error { return renamex(from, to, unix.RENAME_EXCL) }

// exchange swaps two names in one step.
func exchange(a, b string) error { return renamex(a, b, unix.RENAME_SWAP) }

// renamex is errors.ErrUnsupported where the file system does not know the flag (ENOTSUP).
func renamex(from, to string, flag uint32) error {
	if err := unix.RenamexNp(from, to, flag); err != nil {
		return &os.LinkError{Op: "renamex_np", Old: from, New: to, Err: err}
	}
	return nil
}
