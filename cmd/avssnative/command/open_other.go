//go:build !unix

package command

import "os/exec"

// detach has nothing to do where what starts a browser ends at once.
func detach(*exec.Cmd) {}
