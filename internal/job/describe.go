package job

// What is in a model's files, and what can be done with it: read from headers and configuration, never from weights.

import (
	"context"
	"errors"
	"path/filepath"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/weights"
	"avssnative/failure"
	"avssnative/internal/gguf"
	"avssnative/tokenizer"
)

// Description is all that a model's headers say.
type Description struct {
	Ref          string      `json:"ref"`
	Name         string      `json:"name"`
	Path         string      `json:"path"`
	Form         string      `json:"form"` // FormFolder, FormGGUF or FormConfig
	Architecture string      `json:"architecture"`
	Layers       int         `json:"layers"`
	Hidden       int         `json:"hidden"`
	Vocabulary   int         `json:"vocabulary"` // rows of the embedding table
	Context      int         `json:"context"`    // tokens; 0: not said
	Parameters   int64       `json:"parameters"`
	Bytes        int64       `json:"bytes"`
	Blocks       []Block     `json:"blocks"`
	Parts        []Portion   `json:"parts"`
	Types        []Portion   `json:"types"` // the largest first
	Cache        *Cache      `json:"cache,omitempty"`
	Tokenizer    *Vocabulary `json:"tokenizer,omitempty"`
	Untokenized  string      `json:"no_tokenizer,omitempty"` // why there is none
	Abilities    []Ability   `json:"abilities"`
}

// Forms of a model's files.
const (
	FormFolder = "folder" // config.json and safetensors
	FormGGUF   = "gguf"
	FormConfig = "config" // a configuration without weights: sizes are those that it implies
)

// Block is a layer.
type Block struct {
	Index      int            `json:"index"`
	Mixer      string         `json:"mixer,omitempty"` // attention and its kin, in words; empty: the layer has none
	MLP        string         `json:"mlp,omitempty"`   // likewise
	Parameters int64          `json:"parameters"`
	Bytes      int64          `json:"bytes"`
	Types      map[string]int `json:"types"` // tensors by type
}

// Portion is some of a model's tensors.
type Portion struct {
	Name       string `json:"name"`
	Tensors    int    `json:"tensors,omitempty"` // of types alone
	Parameters int64  `json:"parameters"`
	Bytes      int64  `json:"bytes"`
}

// Cache is what generating keeps of a sequence, values of two bytes.
type Cache struct {
	PerToken int64 `json:"bytes_per_token"`
	Once     int64 `json:"bytes_once"`    // of states that do not grow
	Whole    int64 `json:"bytes_context"` // of as many tokens as the model takes; 0: not said
	Windowed int   `json:"window_layers"` // attentions that see a window or a chunk alone, and keep no more than that
}

// Vocabulary is the tokenizer.
type Vocabulary struct {
	Kind    string   `json:"kind"`
	Size    int      `json:"size"`
	BOS     string   `json:"bos,omitempty"`
	EOS     string   `json:"eos,omitempty"`
	AddsBOS bool     `json:"adds_bos"`
	Chat    bool     `json:"chat_template"`
	Notes   []string `json:"notes,omitempty"`
}

// Ability is one thing that can or cannot be done with the model.
type Ability struct {
	What string `json:"what"`
	Able bool   `json:"able"`
	Note string `json:"note,omitempty"` // why not, or how
}

// Describe reads a model's headers: of a folder, a .gguf file, a name in a cache, or a config.json alone. Where nothing here knows the
// architecture, what the files hold is described all the same.
func Describe(ctx context.Context, ref string) (*Description, error) {
	form := FormFolder
	m, err := engine.Open(ctx, ref, engine.Options{})
	if err != nil {
		foreseen, also := engine.Foresee(ctx, ref, engine.Options{Device: "null"})
		switch {
		case also == nil:
			m, form = foreseen, FormConfig
		case errors.Is(err, failure.Unsupported):
			return describeFiles(ref, err)
		default:
			return nil, err
		}
	}
	defer m.Close()
	if m.File != "" {
		form = FormGGUF
	}
	parameters, bytes := m.Size(nil)
	d := &Description{Ref: ref, Name: nameOf(m, ref), Path: m.Path(), Form: form, Architecture: m.Spec.Family, Layers: m.Layers(), Hidden: m.Spec.Hidden,
		Vocabulary: m.Spec.Vocab, Context: m.Spec.Context, Parameters: parameters, Bytes: bytes, Blocks: blocksOf(m), Parts: partsOf(m),
		Types: typesOf(weights.File(m.Tensors)), Cache: cacheOf(m)}
	d.openTokenizer(m.Path())
	d.Abilities = abilities(m, d)
	return d, nil
}

// describeFiles is what remains to be said of files whose architecture nothing here knows, which is why.
func describeFiles(ref string, why error) (*Description, error) {
	path, err := weights.Resolve(ref)
	if err != nil {
		return nil, why
	}
	files, err := weights.Open(path)
	if err != nil {
		return nil, why
	}
	defer files.Close()
	d := &Description{Ref: ref, Name: filepath.Base(path), Path: path, Form: FormFolder}
	var stored []weights.Stored
	if files.GGUF != nil {
		d.Form = FormGGUF
		d.Architecture, _, _ = gguf.Get[string](files.GGUF, "general.architecture")
		shown := weights.NewGGUF(files.GGUF)
		for _, t := range files.GGUF.Tensors() {
			shown.Table(t)
		}
		stored = shown.File()
	} else {
		if config, err := arch.ParseConfig(files.Config); err == nil {
			d.Architecture = config.StringOr("model_type", "")
		}
		stored = weights.File(files.Tensors)
	}
	for _, t := range stored {
		d.Parameters += valuesOf(t)
		d.Bytes += int64(len(t.Data))
	}
	d.Types = typesOf(stored)
	d.openTokenizer(path)
	d.Abilities = []Ability{{What: "compute", Note: why.Error()}, {What: "prune", Note: "its layers are not known"}}
	return d, nil
}

// openTokenizer describes the tokenizer beside the model, or says why there is none.
func (d *Description) openTokenizer(path string) {
	t, err := tokenizer.Open(path)
	if err != nil {
		d.Untokenized = err.Error()
		return
	}
	v := &Vocabulary{Kind: t.Kind(), Size: t.Size(), AddsBOS: t.AddsBOS(), Chat: len(t.ChatTemplates()) > 0, Notes: t.Notes()}
	if id, has := t.BOS(); has {
		v.BOS, _ = t.Token(id)
	}
	if id, has := t.EOS(); has {
		v.EOS, _ = t.Token(id)
	}
	d.Tokenizer = v
}
