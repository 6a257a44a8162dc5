//go:build unix

package command

// The commands in the pages run as they are written. What they name is there: M.gguf, a small model with weights nobody trained; text.txt;
// config.json; and a hub on this machine that has the demo under the name of a trained model. Variables make every job short; lines that want
// another program or a machine are marked in the page.

import (
	"bufio"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// notRun ends a line that is left out.
const notRun = "# not run by CI"

// elsewhere are lines that other checks run, and which.
var elsewhere = map[string]string{
	"go test ./...":               "the step test",
	"go install ./cmd/avssnative": "the step cross builds the program",
	"go build ./cmd/avssnative":   "likewise",
	"go mod init quarter":         "the step outside, with those below",
	"go mod edit -require avssnative@v0.0.0 -replace avssnative=../avssnative": "",
	"go mod tidy": "",
	"go run .":    "",
}

// commandsOf are the lines of a page's blocks of shell, by blocks; what ends with \ goes on in the next line.
func commandsOf(t *testing.T, page string) [][]string {
	t.Helper()
	file, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var blocks [][]string
	inside, before := false, ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		switch {
		case line == "```sh":
			inside, blocks = true, append(blocks, nil)
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && strings.HasSuffix(line, `\`):
			before += strings.TrimSuffix(line, `\`)
		case inside:
			last := len(blocks) - 1
			blocks[last] = append(blocks[last], before+line)
			before = ""
		}
	}
	return blocks
}

// hubOf serves the files of a folder as a repository of that name.
func hubOf(t *testing.T, name, folder string) string {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/models/"+name+"/revision/") {
			entries, err := os.ReadDir(folder)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			siblings := []map[string]string{}
			for _, entry := range entries {
				siblings = append(siblings, map[string]string{"rfilename": entry.Name()})
			}
			json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": siblings})
			return
		}
		data, err := os.ReadFile(filepath.Join(folder, path.Base(r.URL.Path)))
		if err != nil || !strings.HasPrefix(r.URL.Path, "/"+name+"/resolve/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha1.Sum(append([]byte(fmt.Sprintf("blob %d\x00", len(data))), data...))))
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPagesRunAsWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("runs what the pages show")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"README.md", "docs/tutorial.md", "docs/choosing.md", "docs/reading-the-report.md", "docs/faq.md"} {
		t.Run(page, func(t *testing.T) { runLines(t, root, commandsOf(t, filepath.Join(root, page))) })
	}
	for command, lines := range examples {
		t.Run("help of "+command, func(t *testing.T) {
			if command == "prune" { // it takes what score has written
				lines = append(slices.Clone(examples["score"][:1]), lines...)
			}
			runLines(t, root, [][]string{lines})
		})
	}
}

// runLines runs commands, each in the folder in which those before it have left their files.
func runLines(t *testing.T, root string, blocks [][]string) {
	work, bin := t.TempDir(), t.TempDir()
	model, err := os.ReadFile(filepath.Join(root, "engine/testdata/gguf/llama-f32.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(demoFolder(t), "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"M.gguf": model, "config.json": config, "text.txt": strange()} {
		if err := os.WriteFile(filepath.Join(work, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\"\n", asProgram, self)
	if err := os.WriteFile(filepath.Join(bin, "avssnative"), []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HF_HUB_CACHE="+t.TempDir(),
		"HF_ENDPOINT="+hubOf(t, "HuggingFaceTB/SmolLM2-135M-Instruct", demoFolder(t)),
		"AVSSNATIVE_CALIB_TOKENS=1024", "AVSSNATIVE_LIMIT=8",
		"AVSSNATIVE_TASKS=chunk-32="+filepath.Join(work, "text.txt"), "AVSSNATIVE_NO_TIMING=1", "AVSSNATIVE_GENERATE=4")
	run := 0
	for _, block := range blocks {
		for _, line := range block {
			if _, other := elsewhere[line]; other || strings.HasSuffix(line, notRun) || line == "" {
				continue
			}
			// What go run builds is what this test was built of.
			if arguments, built := strings.CutPrefix(line, "go run ./cmd/avssnative "); built {
				line = "avssnative " + arguments
			}
			c := exec.CommandContext(t.Context(), "bash", "-ec", line)
			c.Dir, c.Env = work, environment
			if said, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, said)
			}
			run++
		}
	}
	t.Logf("%d commands", run)
	if run == 0 {
		t.Error("no command was run")
	}
}
