//go:build amd64 || arm64

package command

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"avssnative/internal/filecalls"
)

// Ten processes at a time share one cache, which is empty when they begin, and one folder of shards; every part is computed by two of them, which
// write the same name. What is merged is a single run's, and nothing half-made stays. So it is on a file system without locks.
func TestProcessesShareAFolderAndACache(t *testing.T) {
	job := with("score", []string{"--calib-tokens=100", "--seq-len=10"})
	single := filepath.Join(t.TempDir(), "single.json")
	done(t, append(job, "--out", single)...)
	for what, fault := range map[string]syscall.Errno{"locks": 0, "no locks": syscall.ENOTSUP} {
		cache, state, merged := t.TempDir(), filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "merged.json")
		var locked atomic.Int64
		var all sync.WaitGroup
		for i := range 10 {
			c := exec.CommandContext(t.Context(), os.Args[0], append(job, "--threads=1", "--state", state, fmt.Sprintf("--shard=%d/5", i%5))...)
			c.Env = append(os.Environ(), asProgram+"=1", "XDG_CACHE_HOME="+cache)
			said := &bytes.Buffer{}
			c.Stdout, c.Stderr = said, said
			watch, err := filecalls.Start(c, []string{cache, filepath.Dir(state)}, false, func(asked filecalls.Call) syscall.Errno {
				if asked.Kind != filecalls.Lock {
					return 0
				}
				locked.Add(1)
				return fault
			})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				if err := c.Wait(); err != nil {
					t.Errorf("%s: process %d: %v: %s", what, i, err, said)
				}
				if err := watch.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if locked.Load() < 10 {
			t.Errorf("%s: %d files were to be locked by ten processes", what, locked.Load())
		}
		done(t, "merge", "--out", merged, state)
		if readFile(t, merged) != readFile(t, single) {
			t.Errorf("%s: the merged scores differ from a single run's", what)
		}
		for _, folder := range []string{cache, state} {
			for _, name := range tree(t, folder) {
				if strings.Contains(name, ".incomplete") {
					t.Errorf("%s: left behind: %s", what, name)
				}
			}
		}
	}
}
