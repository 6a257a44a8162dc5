package hub

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// The Python library finds, without a network, what Pull put into the cache; and Find what the Python library put there.
func TestPythonSharesTheCache(t *testing.T) {
	python := need.Python(t, "huggingface_hub")
	ours, theirs := t.TempDir(), t.TempDir()
	s := newServer(t, tiny())
	dir, err := pull(s, ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func(cache, offline, script string) string {
		t.Helper()
		command := exec.Command(python, "-c", script)
		command.Env = append(os.Environ(), "HF_HUB_CACHE="+cache, "HF_HUB_OFFLINE="+offline, "HF_ENDPOINT="+s.URL, "HF_HUB_DISABLE_PROGRESS_BARS=1",
			"HF_HUB_DISABLE_XET=1")
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%v: %s %s", err, out, err.(*exec.ExitError).Stderr)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run(ours, "1", `from huggingface_hub import snapshot_download; print(snapshot_download("org/tiny"))`); got != dir {
		t.Errorf("the Python library finds %s, want %s", got, dir)
	}
	run(theirs, "0", `from huggingface_hub import hf_hub_download
for name in ("config.json", "model.safetensors"): print(hf_hub_download("org/tiny", name))`)
	found, err := Find("org/tiny", Options{Cache: theirs})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.json", "model.safetensors"} {
		first, _ := os.Readlink(filepath.Join(dir, name))
		second, err := os.Readlink(filepath.Join(found, name))
		if err != nil || first != second {
			t.Errorf("%s: the Python library links to %s (%v), Pull to %s", name, second, err, first)
		}
	}
}
