//go:build amd64 || arm64

package mapped

// A power cut between any two steps of writing an output: a process writes files and folders, new ones and in the place of others, its calls are
// recorded, and what every power cut may leave of them is looked at.

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"avssnative/internal/filecalls"
)

// writesIn is the variable by which a process of the tests writes into that folder.
const writesIn = "AVSSNATIVE_TEST_WRITES"

func init() {
	filecalls.Watched()
	if folder := os.Getenv(writesIn); folder != "" {
		if err := writeVersions(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

const versions = 3

// version is what the n-th writing puts into a file.
func version(name string, n int) []byte {
	return bytes.Repeat([]byte(fmt.Sprint(name, n, "\n")), 20*n)
}

var partsOfFolder = []string{"a", "below/b"}

// writeVersions writes a file and a folder several times over, and says after each, by making a folder, that it is done.
func writeVersions(in string) error {
	for n := 1; n <= versions; n++ {
		if err := WriteBytes(filepath.Join(in, "file"), version("file", n)); err != nil {
			return err
		}
		place := Place{Path: filepath.Join(in, "folder"), Folder: true, Force: true, Former: func(string) error { return nil }}
		err := place.Write(func(made string) error {
			for _, name := range partsOfFolder {
				path := filepath.Join(made, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					return err
				}
				if err := os.WriteFile(path, version(name, n), 0o666); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(in, fmt.Sprint("done-", n)), 0o777); err != nil {
			return err
		}
	}
	return nil
}

// recorded is the calls of writeVersions.
func recorded(t *testing.T) (folder string, calls []filecalls.Call) {
	t.Helper()
	folder = t.TempDir()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), writesIn+"="+folder)
	var said bytes.Buffer
	c.Stderr = &said
	watch, err := filecalls.Start(c, []string{folder}, true, func(call filecalls.Call) syscall.Errno {
		calls = append(calls, call)
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	if err := watch.Wait(); err != nil {
		t.Fatal(err)
	}
	return folder, calls
}

// torn names what power cuts may leave of the calls that is neither whole nor absent, or older than what was done before.
func torn(t *testing.T, folder string, calls []filecalls.Call) (wrong []string, looked int) {
	t.Helper()
	disk, err := filecalls.Replay(folder, calls)
	if err != nil {
		t.Fatal(err)
	}
	disk.Cut(rand.New(rand.NewPCG(17, 2)), func(at int, left map[string]filecalls.Left) {
		looked++
		done := 0
		for _, c := range calls[:at] {
			if strings.HasPrefix(filepath.Base(c.Path), "done-") {
				done++
			}
		}
		for _, output := range [][]string{{"file"}, {"folder/a", "folder/below/b"}} {
			found := slices.IndexFunc([]int{0, 1, 2, 3}, func(n int) bool { return n >= done && isVersion(left, output, n) })
			if found < 0 {
				wrong = append(wrong, fmt.Sprintf("before call %d, with %d writings done: %v", at, done, output))
			}
		}
	})
	return wrong, looked
}

// isVersion reports whether all files of an output are the n-th writing's; at 0 none is there, nor their folder.
func isVersion(left map[string]filecalls.Left, output []string, n int) bool {
	for _, name := range output {
		file, there := left[name]
		if n == 0 {
			if _, begun := left[strings.Split(name, "/")[0]]; begun {
				return false
			}
		} else if !there || file.Torn || !bytes.Equal(file.Data, version(strings.TrimPrefix(name, "folder/"), n)) {
			return false
		}
	}
	return true
}

func TestPowerCut(t *testing.T) {
	folder, calls := recorded(t)
	wrong, looked := torn(t, folder, calls)
	t.Logf("%d calls, %d states after a power cut", len(calls), looked)
	if len(wrong) > 0 {
		t.Errorf("%d times, first %s", len(wrong), wrong[0])
	}
	// The recording is what happened: without a cut it is the folder.
	disk, err := filecalls.Replay(folder, calls)
	if err != nil {
		t.Fatal(err)
	}
	end := disk.End()
	err = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		name, _ := filepath.Rel(folder, path)
		if err != nil || name == "." {
			return err
		}
		have, there := end[name]
		delete(end, name)
		if !there || have.Folder != entry.IsDir() {
			t.Errorf("%s: there %v, want it", name, there)
		} else if data, _ := os.ReadFile(path); !entry.IsDir() && !bytes.Equal(have.Data, data) {
			t.Errorf("%s: %d bytes, want %d", name, len(have.Data), len(data))
		}
		return nil
	})
	if err != nil || len(end) > 0 {
		t.Errorf("%v; recorded and not there: %v", err, slices.Sorted(maps.Keys(end)))
	}
}

// Without the syncs of files, and without those of folders, the check finds what a power cut breaks.
func TestPowerCutIsNoticed(t *testing.T) {
	folder, calls := recorded(t)
	for name, lost := range map[string]func(path string) bool{
		"files":   func(path string) bool { return filepath.Base(path) == "file" || filepath.Base(path) == "b" },
		"folders": func(path string) bool { return path == folder },
		"inside":  func(path string) bool { return filepath.Base(path) == "below" },
	} {
		fewer := slices.DeleteFunc(slices.Clone(calls), func(c filecalls.Call) bool { return c.Kind == filecalls.Sync && lost(c.Path) })
		if wrong, _ := torn(t, folder, fewer); len(fewer) == len(calls) || len(wrong) == 0 {
			t.Errorf("syncs of %s left out, %d of them: nothing is noticed", name, len(calls)-len(fewer))
		}
	}
}
