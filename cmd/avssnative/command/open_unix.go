//go:build unix

package command

import (
	"os/exec"
	"syscall"
)

// detach keeps what a terminal tells this program, as by Ctrl-C, from what it starts.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
