package engine

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
)

// held is the resident memory of the process, in bytes.
func held(heap *runtime.MemStats) int64 {
	data, err := os.ReadFile("/proc/self/statm") // pages: of addresses, resident, …
	if fields := bytes.Fields(data); err == nil && len(fields) > 1 {
		if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	return heldByGo(heap)
}
