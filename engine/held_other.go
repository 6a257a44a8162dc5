//go:build !linux

package engine

import "runtime"

// held is what Go holds and the program's own pages, which the system is not asked for.
func held(heap *runtime.MemStats) int64 { return heldByGo(heap) }
