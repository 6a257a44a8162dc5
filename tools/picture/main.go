// Command picture takes the picture of a report that README shows, with Chromium, of what the demo's own run has found:
//
//	go run ./tools/picture        # writes docs/pictures
//
// Beside the picture lie the report.json that it shows and a sum of that and of what is said of it, by which its test tells whether the picture is
// of the report that stands there. Pixels are not compared: fonts differ from machine to machine.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"avssnative/internal/report"
)

const (
	folder  = "docs/pictures"
	picture = "report.png"
	sum     = "report.png.sum"
)

// command is what the picture's report is of, behind the program's name; size is the window's in pixels.
var (
	command = []string{"run", "--no-timing", "--report", "report"}
	size    = "1080,905"
)

func main() {
	if err := take("."); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// take runs the program and puts the picture, its report and its sum into the module at root.
func take(root string) error {
	work, err := os.MkdirTemp("", "picture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	found, r, err := find(root, work)
	if err != nil {
		return err
	}
	shot := filepath.Join(work, picture)
	err = tell(work, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+filepath.Join(work, "browser"),
		"--window-size="+size, "--screenshot="+shot, "file://"+filepath.Join(found, "report.html"))
	if err != nil {
		return err
	}
	for from, to := range map[string]string{shot: picture, filepath.Join(found, report.FileName): report.FileName} {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, folder, to), data, 0o644); err != nil {
			return err
		}
	}
	of, err := shows(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, folder, sum), []byte(of+"\n"), 0o644)
}

// find runs the program of the module at root and gives the folder, and the report in it, that it wrote below another one.
func find(root, work string) (string, *report.Report, error) {
	program := filepath.Join(work, "avssnative")
	if err := tell(root, "go", "build", "-o", program, "./cmd/avssnative"); err != nil {
		return "", nil, err
	}
	if err := tell(work, program, command...); err != nil {
		return "", nil, err
	}
	found := filepath.Join(work, "report")
	r, err := report.Read(found)
	return found, r, err
}

// tell runs a program that says something only when it fails. avssnative computes on the processor: what stands in for a GPU in the checks would take
// a quarter of an hour.
func tell(folder, program string, arguments ...string) error {
	c := exec.Command(program, arguments...)
	c.Dir, c.Env = folder, append(os.Environ(), "AVSSNATIVE_DEVICE=cpu")
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, said)
	}
	return nil
}

// shows is the sum of what a picture of a report shows: its data, the verdict and the warnings.
func shows(r *report.Report) (string, error) {
	data, err := r.JSON()
	if err != nil {
		return "", err
	}
	said, err := json.Marshal([][]string{r.Verdict(), r.AllWarnings()})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(data, said...))), nil
}
