package command

// What a killed job may have left, and what two jobs made held against each other.

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/report"
)

// made is what a job printed and wrote, by the files' names, times apart. What it printed has no name.
type made map[string][]byte

// timed are the fields that tell of times and of the call.
var timed = []string{"created", "command", "speed", "seconds", "tokens_per_s", "generated_per_s"}

// untimed is JSON without these.
func untimed(data []byte) ([]byte, error) {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, err
	}
	var without func(any)
	without = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, each := range value {
				without(each)
			}
		case map[string]any:
			for key, each := range value {
				if slices.Contains(timed, key) {
					delete(value, key)
				} else {
					without(each)
				}
			}
		}
	}
	without(value)
	return json.MarshalIndent(value, "", " ")
}

// madeOf is what a job that is done has made in its folder. Of a report's folder report.json alone is held against another's: its pages and
// pictures, which show times, must be those that are made of it.
func madeOf(t *testing.T, folder, stdout string) made {
	t.Helper()
	all := made{"": must(untimed([]byte(stdout)))}
	for _, path := range tree(t, folder) {
		name, _ := filepath.Rel(folder, path)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() || strings.HasPrefix(name, "state/") || strings.HasPrefix(name, ".") {
			continue
		}
		all[name] = []byte(readFile(t, path))
	}
	saved := filepath.Join("report", report.FileName)
	if all[saved] == nil {
		return all
	}
	anew := filepath.Join(t.TempDir(), "report")
	if err := os.CopyFS(anew, os.DirFS(filepath.Join(folder, "report"))); err != nil {
		t.Fatal(err)
	}
	done(t, "report", "--format", "all", anew)
	for name, data := range all {
		inside, in := strings.CutPrefix(name, "report/")
		if !in || name == saved {
			continue
		}
		if n := differing(data, []byte(readFile(t, filepath.Join(anew, inside)))); n > 0 {
			t.Errorf("%s: %d bytes differ from what %s makes", name, n, saved)
		}
		all[name] = []byte("as " + saved + " has it") // that it is there is compared
	}
	all[saved] = must(untimed(all[saved]))
	return all
}

// differing counts the bytes in which two things differ.
func differing(a, b []byte) int {
	n := max(len(a), len(b)) - min(len(a), len(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// halfMade names what in a killed job's folder is neither whole nor where things are made: files must be those that the job ends with, a page
// of a report may be that of the report before the model was written.
func (want made) halfMade(t *testing.T, folder string) (wrong []string) {
	t.Helper()
	for _, path := range tree(t, folder) {
		name, _ := filepath.Rel(folder, path)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() || slices.ContainsFunc(strings.Split(name, "/"), incomplete) {
			continue
		}
		data := []byte(readFile(t, path))
		var fault error
		switch {
		case strings.HasPrefix(name, "state/"):
			fault = wholeState(name, data)
		case want[name] == nil:
			fault = fmt.Errorf("a stray file")
		case strings.HasPrefix(name, "report/"):
			fault = wholePage(name, data)
		case !bytes.Equal(data, want[name]):
			fault = fmt.Errorf("%d bytes differ (%d, want %d)", differing(data, want[name]), len(data), len(want[name]))
		}
		if fault != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", name, fault))
		}
	}
	// A folder is there as a whole, too.
	for _, in := range []string{"model", "report"} {
		if _, err := os.Stat(filepath.Join(folder, in)); err != nil {
			continue
		}
		for name := range want {
			if _, err := os.Stat(filepath.Join(folder, name)); strings.HasPrefix(name, in+"/") && err != nil {
				wrong = append(wrong, name+": missing")
			}
		}
	}
	return wrong
}

// incomplete says that a name is one in which an output is made.
func incomplete(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".incomplete")
}

func wholeState(name string, data []byte) error {
	if name == filepath.Join("state", finished) {
		_, err := report.Parse(data)
		return err
	}
	end := len(data) - sha256.Size
	if !strings.HasSuffix(name, ".shard") || end < 0 {
		return fmt.Errorf("a stray file")
	}
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return fmt.Errorf("torn")
	}
	return nil
}

func wholePage(name string, data []byte) error {
	switch filepath.Ext(name) {
	case ".json":
		_, err := report.Parse(data)
		return err
	case ".png":
		_, err := png.Decode(bytes.NewReader(data))
		return err
	case ".html":
		if !bytes.HasSuffix(data, []byte("</html>\n")) {
			return fmt.Errorf("torn")
		}
	}
	if !bytes.HasSuffix(data, []byte("\n")) {
		return fmt.Errorf("torn")
	}
	return nil
}
