package command

// --open: the page that was written, in the reader's browser, the way the platform has for it.

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const openName = "open"

func openFlag() cli.Flag { return toggle(openName, "show the page in the browser once it is there") }

// openers are the programs that show a file or an address in what the reader has for it, by operating system; any other has the last one.
var openers = map[string][]string{
	"darwin":  {"open"},
	"windows": {"rundll32", "url.dll,FileProtocolHandler"},
	"":        {"xdg-open"},
}

// opener is the command that shows a file or an address here.
func opener() ([]string, error) {
	words, known := openers[runtime.GOOS]
	if !known {
		words = openers[""]
	}
	program, err := exec.LookPath(words[0])
	if err != nil {
		return nil, fmt.Errorf("no program %s here that would start a browser", words[0])
	}
	return append([]string{program}, words[1:]...), nil
}

// openable finds out whether something can be shown here; instead is what to open without this program.
func openable(instead string) error {
	if _, err := opener(); err != nil {
		return usage("--%s: %w; leave it out, and open %s", openName, err, instead)
	}
	return nil
}

// checkOpen finds out before any work whether what --open asks for can be done.
func checkOpen(c *cli.Context) error {
	if !c.Bool(openName) {
		return nil
	}
	if c.String("report") == "" {
		return idle(c, "without --report DIR there is no page", openName)
	}
	return openable(filepath.Join(c.String("report"), pageName) + " yourself")
}

// pageName is what the page is called in a report's folder.
const pageName = "report.html"

// openReport shows the page of --report where --open asks for it and nothing failed before.
func openReport(c *cli.Context, failed error) error {
	dir := c.String("report")
	if dir == "" || failed != nil {
		return nil
	}
	return openSaved(c, dir)
}

// openSaved shows the page of a report's folder where --open asks for it.
func openSaved(c *cli.Context, dir string) error {
	if !c.Bool(openName) {
		return nil
	}
	whole, err := filepath.Abs(filepath.Join(dir, pageName))
	if err != nil {
		return err
	}
	return openAddress(whole)
}

// early is how long a program that starts a browser has to say that it cannot.
const early = 2 * time.Second

// openAddress shows a file by its whole path, or an address. What is started goes on by itself.
func openAddress(address string) error {
	words, err := opener()
	if err != nil {
		return fmt.Errorf("--%s: %w; open %s yourself", openName, err, address)
	}
	said := &bytes.Buffer{}
	c := exec.Command(words[0], append(words[1:], address)...)
	c.Stderr = said
	c.WaitDelay = early // a browser may keep the other end of stderr
	detach(c)
	if err := c.Start(); err != nil {
		return fmt.Errorf("--%s: %w; open %s yourself", openName, err, address)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		if _, failed := err.(*exec.ExitError); failed {
			why, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
			return fmt.Errorf("--%s: %s: %w %s; open %s yourself", openName, filepath.Base(words[0]), err, why, address)
		}
	case <-time.After(early):
	}
	return nil
}
