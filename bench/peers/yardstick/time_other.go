//go:build !unix

package yardstick

import "time"

// ProcessorTime is what this process has used so far, all threads together; 0 where that is not known.
func ProcessorTime() time.Duration { return 0 }
