//go:build unix

package job

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// peakRSS is the most memory the process has had resident, in bytes; 0 where the system does not say.
func peakRSS() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) * 1024
}
