// Chat templates: the text of the Jinja templates that come with a model. They are handed out as they are; nothing here runs them.

package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	defaultTemplate = "default"
	templateFile    = "chat_template.jinja"
	templateFolder  = "additional_chat_templates" // NAME.jinja in it is the template NAME
)

// ChatTemplate returns the text of the chat template of a name, "" being the default one, and whether there is one.
func (t *Tokenizer) ChatTemplate(name string) (string, bool) {
	if name == "" {
		name = defaultTemplate
	}
	text, ok := t.templates[name]
	return text, ok
}

// ChatTemplates returns the names of the chat templates, in order.
func (t *Tokenizer) ChatTemplates() []string { return slices.Sorted(maps.Keys(t.templates)) }

func (t *Tokenizer) setTemplate(name, text string) {
	if t.templates == nil {
		t.templates = map[string]string{}
	}
	t.templates[name] = text
}

// A templatesJSON is the chat_template of tokenizer_config.json: one text, or a list of named ones.
type templatesJSON map[string]string

func (c *templatesJSON) UnmarshalJSON(data []byte) error {
	var text *string
	if unmarshal(data, &text) == nil {
		if text != nil {
			*c = templatesJSON{defaultTemplate: *text}
		}
		return nil
	}
	var named []struct{ Name, Template string }
	if err := unmarshal(data, &named); err != nil {
		return fmt.Errorf("chat_template: %w", err)
	}
	*c = templatesJSON{}
	for _, one := range named {
		(*c)[one.Name] = one.Template
	}
	return nil
}

// readTemplates takes the templates that are files of their own, which go before those of tokenizer_config.json.
func (t *Tokenizer) readTemplates(folder string) error {
	err := t.readTemplate(defaultTemplate, filepath.Join(folder, templateFile))
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(folder, templateFolder))
	if err != nil {
		return nil // most models have none
	}
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".jinja"); ok && entry.Type().IsRegular() {
			if err := t.readTemplate(name, filepath.Join(folder, templateFolder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tokenizer) readTemplate(name, path string) error {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.setTemplate(name, string(data))
	return nil
}
