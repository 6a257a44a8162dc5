package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"avssnative/internal/demo"
	"avssnative/internal/hub"
)

// Resolve finds the folder or file that a model reference means.
func Resolve(ref string) (string, error) {
	if _, err := os.Stat(ref); err == nil {
		return ref, nil
	}
	if ref == demo.Name {
		return demo.Folder()
	}
	if _, err := hub.Parse(ref); err != nil {
		return "", fmt.Errorf("engine: model %s: no such folder or file, and no name of a model in the local cache (org/name)", ref)
	}
	folder, err := hub.Find(ref, hub.Options{})
	if err != nil {
		return "", fmt.Errorf("engine: model %s: no such folder or file; as a name: %w", ref, err)
	}
	return folder, nil
}

// openFile opens a model that is a single file.
func openFile(path string, o Options) (*Model, error) {
	if strings.EqualFold(filepath.Ext(path), ".gguf") {
		return openGGUF(path, o)
	}
	return nil, fmt.Errorf("engine: model %s: %q is no known model file; give a folder with config.json and *.safetensors, or a .gguf file", path, filepath.Ext(path))
}
