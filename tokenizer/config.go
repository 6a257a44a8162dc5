// tokenizer_config.json: what lies beside the vocabulary's file and says more of the tokens around a text.

package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
)

// A configToken is a token in tokenizer_config.json: its text, or an object that holds it; "" where there is none.
type configToken string

func (c *configToken) UnmarshalJSON(data []byte) error {
	var text *string
	if unmarshal(data, &text) == nil {
		if text != nil {
			*c = configToken(*text)
		}
		return nil
	}
	var object struct{ Content string }
	if err := unmarshal(data, &object); err != nil {
		return err
	}
	*c = configToken(object.Content)
	return nil
}

// readConfig reads a tokenizer_config.json. No such file is no error.
func (t *Tokenizer) readConfig(path string) error {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return located(path, t.configure(data))
}

// configure takes from tokenizer_config.json what the vocabulary's file leaves open.
func (t *Tokenizer) configure(data []byte) error {
	var config struct {
		BOS       configToken   `json:"bos_token"`
		EOS       configToken   `json:"eos_token"`
		Unknown   configToken   `json:"unk_token"`
		Padding   configToken   `json:"pad_token"`
		AddBOS    *bool         `json:"add_bos_token"`
		AddEOS    *bool         `json:"add_eos_token"`
		Templates templatesJSON `json:"chat_template"`
	}
	if err := unmarshal(data, &config); err != nil {
		return err
	}
	for name, text := range config.Templates {
		t.setTemplate(name, text)
	}
	for _, token := range []struct {
		name   string
		text   configToken
		id     *int32
		needed bool
	}{
		{"bos_token", config.BOS, &t.bos, true}, {"eos_token", config.EOS, &t.eos, true},
		{"unk_token", config.Unknown, &t.unknown, false}, {"pad_token", config.Padding, &t.padding, false},
	} {
		if token.text == "" {
			continue
		}
		switch id, ok := t.vocab.id(string(token.text)); {
		case ok:
			*token.id = id
		case token.needed:
			return fmt.Errorf("%.80q is not in the vocabulary", string(token.text))
		default: // encoding does without it
			t.notes = append(t.notes, fmt.Sprintf("%s %.80q is not in the vocabulary", token.name, string(token.text)))
		}
	}
	if !t.silent {
		return nil
	}
	if config.AddBOS != nil {
		t.post = []postPiece{{text: true}}
		if *config.AddBOS {
			if t.bos < 0 {
				return errors.New("add_bos_token without a bos_token")
			}
			t.post = []postPiece{{ids: []int32{t.bos}}, {text: true}}
		}
	}
	if isTrue(config.AddEOS) {
		if t.eos < 0 {
			return errors.New("add_eos_token without an eos_token")
		}
		t.post = append(t.post, postPiece{ids: []int32{t.eos}})
	}
	return nil
}
