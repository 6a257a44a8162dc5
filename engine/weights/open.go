package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"avssnative/failure"
	"avssnative/internal/gguf"
	"avssnative/internal/mapped"
)

// Files are a model's files, opened before anybody has asked what the model is. Nothing is read but headers.
type Files struct {
	Path    string
	Config  []byte     // config.json of a folder; nil for a GGUF file
	GGUF    *gguf.File // nil for a folder
	Tensors Tensors    // a folder's tensors; nil for a GGUF file, whose tensors get their names from its architecture
}

// Open opens a folder with config.json and *.safetensors (or weights of a registered format), or a .gguf file.
func Open(path string) (*Files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, failure.NotFound.Unless(fmt.Errorf("weights: model %s: %w", path, err))
	}
	if info.IsDir() {
		return openFolder(path)
	}
	if slices.Contains(pickles, strings.ToLower(filepath.Ext(path))) {
		return nil, fmt.Errorf("weights: model %s: a Python pickle, which is never loaded, because loading it runs what is in it; convert its folder: "+
			"python3 -c \"import sys; from transformers import AutoModelForCausalLM as M; "+
			"M.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])\" FOLDER NEW_FOLDER", path)
	}
	if !strings.EqualFold(filepath.Ext(path), ".gguf") {
		return nil, failure.Unsupported.Errorf("weights: model %s: %q is no known model file; give a folder with config.json and *.safetensors, or a .gguf file",
			path, filepath.Ext(path))
	}
	file, err := gguf.Open(path)
	if err != nil {
		return nil, failure.Corrupt.Unless(fmt.Errorf("weights: model %s: %w", path, err))
	}
	return &Files{Path: path, GGUF: file}, nil
}

// mostConfig bounds a config.json, far above every published one.
const mostConfig = 64 << 20

// pickles are the endings of Python pickles.
var pickles = []string{".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}

func openFolder(folder string) (*Files, error) {
	config, err := mapped.ReadSmall(filepath.Join(folder, "config.json"), mostConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.NotFound.Errorf("weights: model %s: no config.json in this folder; give a folder with config.json and *.safetensors, or a .gguf file",
			folder)
	}
	if err != nil {
		return nil, fmt.Errorf("weights: model %s: %w", folder, err)
	}
	source, err := openRegistered(folder)
	if err == nil && source == nil {
		source, err = openSafetensors(folder)
	}
	if err != nil {
		return nil, failure.Corrupt.Unless(fmt.Errorf("weights: model %s: %w", folder, err))
	}
	return &Files{Path: folder, Config: config, Tensors: source}, nil
}

// Close gives the mapped files back.
func (f *Files) Close() error {
	if f.GGUF != nil {
		return f.GGUF.Close()
	}
	return f.Tensors.Close()
}
