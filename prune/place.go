package prune

// Where a pruned model goes, and what may stand there before: nothing, or what was written there by this package, which is known by what is
// in it.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"avssnative/engine"
	"avssnative/internal/gguf"
	"avssnative/internal/mapped"
)

// place is where a model of the format goes.
func (f Format) place(m *engine.Model, path string, o Options) mapped.Place {
	p := mapped.Place{Path: path, Folder: f == FormatHF, Force: o.Force, Reading: append(reads(m), o.Reading...)}
	switch f {
	case FormatHF:
		p.Former = formerFolder
	case FormatGGUF:
		p.Former = formerGGUF
	case FormatMergekit:
		p.Former = formerMergekit
	}
	return p
}

// reads lists what a model is read from: its folder or its file, of a file in several parts all of them.
func reads(m *engine.Model) []string {
	all := []string{m.Path()}
	if m.File != "" {
		if file, err := gguf.Open(m.File); err == nil {
			all = append(all, file.Paths()...)
			file.Close()
		}
	}
	return all
}

// weightFiles are the names that writeHF gives, beside those of companions.
var weightFiles = regexp.MustCompile(`^(config\.json|README\.md|model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json)$`)

const (
	maxCard   = 1 << 20 // bytes of a model card
	maxConfig = 64 << 20
)

// formerFolder returns why a folder is none that writeHF wrote, or holds more than that: whoever put something in wants it back.
func formerFolder(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch name := entry.Name(); {
		case !entry.Type().IsRegular():
			return fmt.Errorf("the folder holds %s, which is no file", name)
		case !weightFiles.MatchString(name) && !isCompanion(name):
			return fmt.Errorf("the folder holds %s", name)
		}
	}
	card, err := mapped.ReadSmall(filepath.Join(path, "README.md"), maxCard)
	if err != nil || !bytes.HasPrefix(card, []byte("---\n")) {
		return errors.New("the folder has no model card of this program's")
	}
	if head, _, _ := bytes.Cut(card[len("---\n"):], []byte("\n---\n")); !slices.ContainsFunc(bytes.Split(head, []byte("\n")), isTag) {
		return errors.New("the folder's model card is not this program's")
	}
	config, err := mapped.ReadSmall(filepath.Join(path, "config.json"), maxConfig)
	if err != nil || !json.Valid(config) {
		return errors.New("the folder has no config.json")
	}
	return nil
}

func isTag(line []byte) bool { return string(line) == "- "+cardTag }

// formerMergekit returns why a file is none that writeMergekit wrote.
func formerMergekit(path string) error {
	text, err := mapped.ReadSmall(path, maxConfig)
	if err == nil && !bytes.HasPrefix(text, []byte(mergekitHead)) {
		err = errors.New("a file from elsewhere")
	}
	return err
}
