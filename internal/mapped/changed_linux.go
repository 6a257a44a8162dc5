package mapped

import (
	"os"
	"syscall"
)

// rewritten reports whether a file was written to though its time of modification says nothing, because that was set back: the time of
// its last change of any kind, which cannot be set, is another, and it has the same mode, owner and number of links, whose changes count too.
func rewritten(now, before os.FileInfo) bool {
	a, b := now.Sys().(*syscall.Stat_t), before.Sys().(*syscall.Stat_t)
	return a.Ctim != b.Ctim && a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid && a.Nlink == b.Nlink
}
