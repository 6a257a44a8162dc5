//go:build !linux

package command

import (
	"testing"

	"avssnative/internal/need"
)

func mounted(t *testing.T, _ string) string {
	t.Helper()
	need.Missing(t, "a file system in memory (linux)")
	return ""
}

func fullDisk(t *testing.T) string { return mounted(t, "") }
