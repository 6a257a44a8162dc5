package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"avssnative/internal/gguf"
)

// Ends lists the tokens that end what a model says: those of the folder's generation_config.json, or the GGUF's end of text, of turn and of
// message; and the tokenizer's own. None is no error: such a model goes on until something else ends it.
func (j *Job) Ends() ([]int32, error) {
	var ends []int32
	var err error
	if j.Model.Folder != "" {
		ends, err = configuredEnds(filepath.Join(j.Model.Folder, "generation_config.json"))
	} else {
		ends, err = storedEnds(j.Model.File)
	}
	if err != nil {
		return nil, err
	}
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	if eos, ok := t.EOS(); ok && !slices.Contains(ends, eos) {
		ends = append(ends, eos)
	}
	return ends, nil
}

// configuredEnds reads eos_token_id, a number or a list of them; a file that is not there names none.
func configuredEnds(path string) ([]int32, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var config struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(config.EOS) == 0 || string(config.EOS) == "null" {
		return nil, nil
	}
	var one int32
	if json.Unmarshal(config.EOS, &one) == nil {
		return []int32{one}, nil
	}
	var several []int32
	if err := json.Unmarshal(config.EOS, &several); err != nil {
		return nil, fmt.Errorf("%s: eos_token_id: want a token's id or a list of them: %w", path, err)
	}
	return several, nil
}

// storedEnds reads the tokens of a GGUF that end a text, a turn or a message.
func storedEnds(path string) ([]int32, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ends []int32
	for _, key := range []string{"eos", "eot", "eom"} {
		id, present, err := gguf.Get[uint32](f, "tokenizer.ggml."+key+"_token_id")
		if err != nil {
			return nil, err
		}
		if present && !slices.Contains(ends, int32(id)) {
			ends = append(ends, int32(id))
		}
	}
	return ends, nil
}
