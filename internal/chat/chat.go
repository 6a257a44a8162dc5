// Package chat writes a conversation as the text that a model was trained to continue: by the Jinja template that came with it, as
// transformers' apply_chat_template does (blocks trimmed, whole lines of tags without their white space, the special tokens by name). A
// template is a program that somebody else wrote: ranges are bounded as Jinja's sandbox bounds them, and nothing outside can be reached.
package chat

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ardanlabs/jinja"
)

// Message is one turn: who speaks (system, user, assistant, or what else the template knows) and what is said.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Template is a compiled chat template. It may be used by several goroutines.
type Template struct {
	compiled *jinja.Template
	tokens   map[string]string
}

// mostRange is the longest range that Jinja's sandbox allows.
const mostRange = 100_000

// Compile reads a template. tokens are the special tokens that it may name, as bos_token and eos_token; one that is not there is empty text.
// A template that needs a statement which is not known here is an error that names the line.
func Compile(source string, tokens map[string]string) (t *Template, err error) {
	defer failed(&err)
	// Jinja reads every end of line as \n and leaves out the one at the template's end.
	source = strings.TrimSuffix(strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n"), "\n")
	compiled, err := jinja.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("chat: template: %w", err)
	}
	return &Template{compiled: compiled, tokens: tokens}, nil
}

// Render writes a conversation. With answer set, what begins the assistant's next turn stands at its end. A template that refuses the
// conversation, as some do where a system speaks, is an error with the template's own words.
func (t *Template) Render(messages []Message, answer bool) (text string, err error) {
	if len(messages) == 0 {
		return "", errors.New("chat: no messages")
	}
	defer failed(&err)
	turns := make([]jinja.Value, len(messages))
	for i, m := range messages {
		turns[i] = jinja.NewDict()
		turns[i].AsDict().Set("role", jinja.NewString(m.Role))
		turns[i].AsDict().Set("content", jinja.NewString(m.Content))
	}
	values := map[string]jinja.Value{"messages": jinja.NewList(turns), "add_generation_prompt": jinja.NewBool(answer), "tools": jinja.None(),
		"documents": jinja.None(), "range": jinja.NewCallable("range", boundedRange)}
	for name, token := range t.tokens {
		values[name] = jinja.NewString(token)
	}
	if text, err = t.compiled.RenderValues(values); err != nil {
		return "", fmt.Errorf("chat: template: %w", err)
	}
	return text, nil
}

// boundedRange is Python's range as a list, of as many numbers as the sandbox allows.
func boundedRange(arguments []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	bounds := []int64{0, 0, 1}
	switch len(arguments) {
	case 1:
		arguments = append([]jinja.Value{jinja.NewInt(0)}, arguments...)
	case 2, 3:
	default:
		return jinja.Undefined(), fmt.Errorf("range: %d arguments, want 1 to 3", len(arguments))
	}
	for i, a := range arguments {
		if !a.IsInt() || a.AsInt() > math.MaxInt32 || a.AsInt() < math.MinInt32 {
			return jinja.Undefined(), errors.New("range: want whole numbers of 32 bits")
		}
		bounds[i] = a.AsInt()
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return jinja.Undefined(), errors.New("range: a step of 0")
	}
	if (stop-start)/step > mostRange {
		return jinja.Undefined(), fmt.Errorf("range: more than %d numbers", mostRange)
	}
	var items []jinja.Value
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		items = append(items, jinja.NewInt(i))
	}
	return jinja.NewList(items), nil
}

// failed makes an error of a panic: the interpreter has some for templates that make no sense.
func failed(err *error) {
	if said := recover(); said != nil {
		*err = fmt.Errorf("chat: template: %v", said)
	}
}
