// Opening a tokenizer by path: a model folder, or one of the files that hold a vocabulary.
package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const largestFile = 1 << 29 // bytes; the largest published tokenizer.json is below 40 MB

// Open reads a tokenizer: a model folder (tokenizer.json, else tokenizer.model), a tokenizer.json, a tokenizer.model or a .gguf
// file. Beside a tokenizer.json or tokenizer.model, tokenizer_config.json names the tokens that begin and end a text, and says
// whether they are added, where the file itself does not.
func Open(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if info.IsDir() {
		return openFolder(path)
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
		t, err = ParseJSON(data, path)
	default:
		t, err = ParseSentencePiece(data, path)
	}
	if err != nil {
		return nil, err
	}
	if err := t.configure(filepath.Join(filepath.Dir(path), "tokenizer_config.json")); err != nil {
		return nil, err
	}
	return t, nil
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
	return nil, fmt.Errorf("tokenizer: %s: holds neither tokenizer.json nor tokenizer.model nor one .gguf file", path)
}

// globSafe escapes what a pattern would take for more than itself.
func globSafe(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if info.Size() > largestFile {
		return nil, fmt.Errorf("tokenizer: %s: %d bytes, want at most %d", path, info.Size(), largestFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return data, nil
}

// A configToken is a token in tokenizer_config.json: its text, or an object that holds it; "" where there is none.
type configToken string

func (c *configToken) UnmarshalJSON(data []byte) error {
	var text *string
	if json.Unmarshal(data, &text) == nil {
		if text != nil {
			*c = configToken(*text)
		}
		return nil
	}
	var object struct{ Content string }
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	*c = configToken(object.Content)
	return nil
}

// configure takes from tokenizer_config.json what the vocabulary's file leaves open. No such file is no error.
func (t *Tokenizer) configure(path string) error {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var config struct {
		BOS    configToken `json:"bos_token"`
		EOS    configToken `json:"eos_token"`
		AddBOS *bool       `json:"add_bos_token"`
		AddEOS *bool       `json:"add_eos_token"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	for _, token := range []struct {
		text configToken
		id   *int32
	}{{config.BOS, &t.bos}, {config.EOS, &t.eos}} {
		if token.text == "" {
			continue
		}
		id, ok := t.vocab.id(string(token.text))
		if !ok {
			return fmt.Errorf("tokenizer: %s: %.80q is not in the vocabulary", path, string(token.text))
		}
		*token.id = id
	}
	if !t.silent {
		return nil
	}
	if config.AddBOS != nil {
		t.post = []postPiece{{text: true}}
		if *config.AddBOS {
			if t.bos < 0 {
				return fmt.Errorf("tokenizer: %s: add_bos_token without a bos_token", path)
			}
			t.post = []postPiece{{ids: []int32{t.bos}}, {text: true}}
		}
	}
	if isTrue(config.AddEOS) {
		if t.eos < 0 {
			return fmt.Errorf("tokenizer: %s: add_eos_token without an eos_token", path)
		}
		t.post = append(t.post, postPiece{ids: []int32{t.eos}})
	}
	return nil
}
