package command

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a terminal of 100 columns, and a function that gives what was written to it once it is closed.
func terminal(t *testing.T) (side *os.File, written func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be made: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100})
	}
	if err != nil {
		t.Fatal(err)
	}
	side, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made: %v", err)
	}
	all := make(chan string)
	go func() {
		data, _ := io.ReadAll(master) // ends with an error once nobody has the other side
		all <- string(data)
	}()
	return side, func() string {
		side.Close()
		return <-all
	}
}

// colour is a sequence that colours what follows, or makes it bold.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// On a terminal there is a bar, which --quiet takes away. Nothing is coloured, with NO_COLOR or without.
func TestOnATerminal(t *testing.T) {
	for _, c := range []struct {
		environment string
		flags       []string
		bar         bool
	}{
		{"TERM=xterm-256color", nil, true},
		{"NO_COLOR=1", nil, true},
		{"TERM=xterm-256color", []string{"--quiet"}, false},
	} {
		out, outcome := terminal(t)
		aside, progress := terminal(t)
		command, _ := program(t, with("score", []string{"--calib-tokens=3000"}, c.flags)...)
		command.Env = append(command.Env, c.environment)
		command.Stdout, command.Stderr = out, aside
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
		stdout, stderr := outcome(), progress()
		if !strings.Contains(stdout, "Lowest scores go first") {
			t.Errorf("%v: %.200q", c, stdout)
		}
		if (stderr != "") != c.bar {
			t.Errorf("%v: progress %q", c, stderr)
		}
		if colour.MatchString(stdout + stderr) {
			t.Errorf("%v: colours in %q", c, stdout+stderr)
		}
	}
}
