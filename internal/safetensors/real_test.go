package safetensors

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// Files that other programs wrote are read, and the Python library reads what is copied from them to the same bytes.
func TestAgainstPython(t *testing.T) {
	source := need.Reference(t, "architectures/gpt2")
	python := need.Python(t, "safetensors", "numpy")
	set, err := OpenDir(source)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var sources []Source
	for _, tensor := range set.Tensors() {
		sources = append(sources, tensor.Source(tensor.Name))
	}
	dir := t.TempDir()
	if _, err := Write(context.Background(), dir, sources, nil, 20_000); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import glob, sys
from safetensors.numpy import load_file
from safetensors import safe_open
want, found, files = load_file(sys.argv[1] + "/model.safetensors"), {}, glob.glob(sys.argv[2] + "/*.safetensors")
for name in files:
    with safe_open(name, "np") as file:
        assert file.metadata()["format"] == "pt"
    found |= load_file(name)
assert want.keys() == found.keys()
assert all(want[n].dtype == found[n].dtype and want[n].shape == found[n].shape and want[n].tobytes() == found[n].tobytes() for n in want)
print(len(files) > 1, len(want) > 10)`, source, dir).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "True True" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReferenceModelsOpen(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(need.Reference(t, "architectures"), "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no folders: %v", err)
	}
	for _, folder := range folders {
		set, err := OpenDir(folder)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(set.Tensors()) < 5 {
			t.Errorf("%s: %d tensors", folder, len(set.Tensors()))
		}
		set.Close()
	}
}
