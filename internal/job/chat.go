package job

import (
	"fmt"

	"avssnative/internal/chat"
)

// Chat renders a conversation by the template that came with the model, with what begins an answer at its end.
func (j *Job) Chat(messages []chat.Message) (string, error) {
	template, err := j.ChatTemplate()
	if err != nil {
		return "", err
	}
	return template.Render(messages, true)
}

// ChatTemplate compiles the template that came with the model.
func (j *Job) ChatTemplate() (*chat.Template, error) {
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	source, found := t.ChatTemplate("")
	if !found {
		return nil, fmt.Errorf("%s: came with no chat template; text without one can be given", j.Model.Ref)
	}
	tokens := map[string]string{}
	for name, token := range map[string]func() (int32, bool){"bos_token": t.BOS, "eos_token": t.EOS, "unk_token": t.Unknown, "pad_token": t.Padding} {
		if id, ok := token(); ok {
			if tokens[name], ok = t.Token(id); !ok {
				delete(tokens, name)
			}
		}
	}
	return chat.Compile(source, tokens)
}
