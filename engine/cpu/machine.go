package cpu

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// What the machine says of itself. Linux tells in /proc; elsewhere the answer is "unknown", which nothing depends on.

// processorName is what a person would call the processor.
func processorName() string {
	if name := procValue("/proc/cpuinfo", "model name"); name != "" {
		return name
	}
	return runtime.GOARCH + " processor"
}

// machineMemory is the machine's memory in bytes, 0 where that is not known.
func machineMemory() int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	return kib << 10
}

// procValue is what stands behind the first "name:" of a file.
func procValue(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
