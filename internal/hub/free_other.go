//go:build !(linux || darwin)

package hub

import "os"

// freeBytes does not know.
func freeBytes(*os.File) (free int64, known bool) { return 0, false }
