//go:build unix

package command

import (
	"bufio"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C is how serve is meant to end: exit code 0, and not a word about an interruption.
func TestServeEndsByCtrlC(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := t.TempDir()
		aReport(t, dir)
		c, complaints := program(t, "serve", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "1 report in "+dir+": http://127.0.0.1:") {
			t.Errorf("%q, %v", line, err)
		}
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if code := exitCode(c.Wait()); code != exitDone || complaints.Len() > 0 {
			t.Errorf("%v: exit code %d: %s", signal, code, complaints)
		}
	}
}
