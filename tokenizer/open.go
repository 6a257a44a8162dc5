// Opening a tokenizer by path: a model folder, or one of the files that hold a vocabulary.

package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"avssnative/failure"
)

const largestFile = 1 << 29 // bytes; the largest published tokenizer.json is below 40 MB

// Open reads a tokenizer: a model folder (tokenizer.json, else tokenizer.model, else its .gguf file), a tokenizer.json, a
// tokenizer.model or a .gguf file. Beside a tokenizer.json or tokenizer.model, tokenizer_config.json names the tokens that begin
// and end a text, says whether they are added where the file itself does not, and holds chat templates. Errors are of the kinds
// failure.NotFound, failure.Unsupported and failure.Corrupt, or the operating system's.
func Open(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, systemError(err)
	}
	if info.IsDir() {
		return openFolder(path)
	}
	if !info.Mode().IsRegular() {
		return nil, irregular(path)
	}
	if strings.EqualFold(filepath.Ext(path), ".gguf") {
		return openGGUF(path)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var t *Tokenizer
	switch {
	case bytes.HasPrefix(data, []byte("GGUF")):
		return openGGUF(path)
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		t, err = readJSON(data, path)
	default:
		t, err = readSentencePiece(data, path)
	}
	if err != nil {
		return nil, err
	}
	config := filepath.Join(filepath.Dir(path), "tokenizer_config.json")
	if err := t.readConfig(config); err != nil {
		return nil, err
	}
	if err := t.readTemplates(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return t, nil
}

// systemError is an error of the operating system; a path that is not there is failure.NotFound too.
func systemError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return kindf(failure.NotFound, "tokenizer: %w", err)
	}
	return fmt.Errorf("tokenizer: %w", err)
}

func openFolder(path string) (*Tokenizer, error) {
	for _, name := range []string{"tokenizer.json", "tokenizer.model"} {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return Open(file)
		}
	}
	names, err := filepath.Glob(filepath.Join(globSafe(path), "*.gguf"))
	if err == nil && len(names) == 1 {
		return Open(names[0])
	}
	return nil, kindf(failure.NotFound, "tokenizer: %s: holds neither tokenizer.json nor tokenizer.model nor one .gguf file", path)
}

// globSafe escapes what a pattern would take for more than itself.
func globSafe(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// irregular is the error of what is neither a folder nor a regular file: opening a pipe or a device could wait for ever.
func irregular(path string) error {
	return kindf(failure.Corrupt, "tokenizer: %s: is no regular file", path)
}

// readFile reads a regular file.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, systemError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, irregular(path)
	}
	if info.Size() > largestFile {
		return nil, kindf(failure.Corrupt, "tokenizer: %s: %d bytes, want at most %d", path, info.Size(), largestFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, systemError(err)
	}
	return data, nil
}
