// Package filecalls lets a test stand between another process and what that asks of the file system: it sees every call in order, and lets it
// through or answers it with an error, as a full disk or a broken one would. It is seccomp's notification to user space (Linux 5.19), so it needs
// neither rights nor another program, counts the calls of all threads together, and leaves calls on other files alone; an error that was thrown at
// any file would hit the Go runtime's own.
//
// The process watched is a test's own program: it calls Watched first of all.
package filecalls

import (
	"fmt"
	"syscall"
)

// Kind is what a call does.
type Kind string

// The calls that are seen. Create is an open that may make the file; List reads a folder's names; Rename is a link too.
const (
	Open     Kind = "open"
	Create   Kind = "create"
	Read     Kind = "read"
	List     Kind = "list"
	Write    Kind = "write"
	Sync     Kind = "sync"
	Truncate Kind = "truncate"
	Folder   Kind = "mkdir"
	Rename   Kind = "rename"
	Link     Kind = "link"
	Remove   Kind = "remove"
	Removed  Kind = "rmdir"
	Lock     Kind = "flock"
)

// Call is one call of the process.
type Call struct {
	Kind Kind
	Path string
	To   string // the second name of Rename and Link
	Data []byte // what Write writes, where that was asked for
	At   int64  // where Write writes; -1: where the file stands
	Size int64  // of Truncate
	// Exchange and NoReplace are the flags of Rename, Exclusive and Truncates those of Create.
	Exchange, NoReplace, Exclusive, Truncates bool
}

func (c Call) String() string {
	if c.To != "" {
		return fmt.Sprintf("%s %s to %s", c.Kind, c.Path, c.To)
	}
	return fmt.Sprintf("%s %s", c.Kind, c.Path)
}

// Answer decides about a call: 0 lets it through, anything else is its error. It is called by one goroutine.
type Answer func(Call) syscall.Errno
