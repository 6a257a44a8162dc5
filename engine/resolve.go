package engine

import (
	"fmt"
	"os"
	"path/filepath"

	"avssnative/internal/demo"
)

// resolve finds the folder or file that a model reference means.
func resolve(ref string) (string, error) {
	if _, err := os.Stat(ref); err == nil {
		return ref, nil
	}
	if ref == demo.Name {
		return demo.Folder()
	}
	return "", fmt.Errorf("engine: model %s: no such folder or file", ref)
}

// openFile opens a model that is a single file.
func openFile(path string, o Options) (*Model, error) {
	return nil, fmt.Errorf("engine: model %s: %q is no known model file; give a folder with config.json and *.safetensors", path, filepath.Ext(path))
}
