package command

import (
	"os"
	"path/filepath"
	"testing"

	"avssnative/internal/need"

	"golang.org/x/sys/unix"
)

// mounted is a small file system in memory of the test's own; only root may have one.
func mounted(t *testing.T, options string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	flags := uintptr(0)
	if options == "size=64k,ro" {
		options, flags = "size=64k", unix.MS_RDONLY
	}
	if err := unix.Mount("avssnative-test", folder, "tmpfs", flags, options); err != nil {
		need.Missing(t, "a mount of a small file system (root): "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// fullDisk is a file system with no room for what the tests write.
func fullDisk(t *testing.T) string { return mounted(t, "size=4k,nr_inodes=64") }
