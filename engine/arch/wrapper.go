package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"avssnative/engine/weights"
	"avssnative/failure"
)

// Models that see or hear wrap a language model: config.json describes it in text_config, its tensors stand behind a prefix, and beside
// them stand towers and projectors. Given text alone, such a model computes what its language model computes. That is what its Spec says;
// images and sound are not read, and all that belongs to them is carried along as it is. Positions of three axes (M-RoPE, arXiv 2409.12191,
// section 2.1) are the same number on every axis of a text, so they are plain ones here.
//
// What a wrapper wraps, and under which names, is read from transformers 5.23 (models/NAME/configuration_NAME.py, conversion_mapping.py).

// wrappers gives, by a wrapper's model_type, the one of the text model where text_config does not name it.
var wrappers = map[string]string{
	"aya_vision": "cohere2", "cohere2_vision": "cohere2", "exaone4_5": "exaone4", "gemma3": "gemma3_text", "got_ocr2": "qwen2", "granite_speech": "granite",
	"idefics3": "llama", "internvl": "qwen2", "lfm2_vl": "lfm2", "lighton_ocr": "qwen3", "llama4": "llama4_text", "llava": "llama", "llava_next": "llama",
	"llava_next_video": "llama", "llava_onevision": "qwen2", "mistral3": "mistral", "ovis2": "qwen2", "qwen2_5_vl": "qwen2_5_vl_text", "qwen2_audio": "qwen2",
	"qwen2_vl": "qwen2_vl_text", "qwen3_5": "qwen3_5_text", "qwen3_5_moe": "qwen3_5_moe_text", "qwen3_vl": "qwen3_vl_text", "qwen3_vl_moe": "qwen3_vl_moe_text",
	"smolvlm": "llama", "video_llava": "llama", "vipllava": "llama", "voxtral": "llama",
}

// textFamilies gives the family of text models that have a model_type of their own, though they are another's block.
var textFamilies = map[string]string{
	"exaone4_5_text": "exaone4", "qwen2_5_vl_text": "qwen2", "qwen2_vl_text": "qwen2", "qwen3_vl_text": "qwen3", "qwen3_vl_moe_text": "qwen3_moe",
}

// flatWrappers were published with the text model's keys at the top of config.json, without text_config.
var flatWrappers = []string{"qwen2_5_vl", "qwen2_vl"}

// wrapperNames are the places of text models in wrappers' files: the prefix of what is "model." in the text model's own files, and the
// head's. The first whose embedding table is stored is the one.
var wrapperNames = []textNames{
	{"model.language_model.", "lm_head."},
	{"language_model.model.", "language_model.lm_head."},
	{"model.text_model.", "lm_head."},
	{"model.", "lm_head."},
}

func knownWrappers() string { return strings.Join(slices.Sorted(maps.Keys(wrappers)), ", ") }

type textNames struct{ model, head string }

// textModel is what a configuration says of the language model, and where.
type textModel struct {
	config  *Config
	tensors weights.Tensors // under the names of the text model's own files
	within  string          // the object of config.json that describes it; empty: all of it
}

// textOf finds the language model of a configuration: all of it, or what its wrapper wraps.
func textOf(c *Config, source weights.Tensors) (textModel, error) {
	name := c.StringOr("model_type", "")
	if _, wraps := wrappers[name]; !wraps {
		if inside := c.Section("text_config"); len(inside.values) > 0 && architectures[name] == nil {
			return textModel{}, failure.Unsupported.Errorf("model_type %q: wraps a text model (%s) in a way that is not known here; known wrappers: %s",
				name, inside.StringOr("model_type", "of no model_type"), knownWrappers())
		}
		return textModel{c, source, ""}, nil
	}
	inside, within, kind := c.Section("text_config"), "text_config", c.textKind()
	if c.Err() != nil {
		return textModel{}, c.Err()
	}
	if len(inside.values) == 0 {
		if !slices.Contains(flatWrappers, name) {
			return textModel{}, fmt.Errorf("config.json: text_config: missing, or empty, in a model of type %q", name)
		}
		inside, within = c, ""
	}
	family := kind
	if other := textFamilies[kind]; other != "" {
		family = other
	}
	if architectures[family] == nil {
		return textModel{}, failure.Unsupported.Errorf("model_type %q: its text_config.model_type %q is an unknown architecture; known: %s", name, kind,
			strings.Join(ModelTypes(), ", "))
	}
	view := textTensors{Tensors: source}
	found := slices.IndexFunc(wrapperNames, func(names textNames) bool {
		view.textNames = names
		return view.has("model.embed_tokens.weight")
	})
	if found < 0 {
		return textModel{}, fmt.Errorf("model_type %q: no tensor embed_tokens.weight where wrappers have their text model's: "+
			"behind model.language_model, language_model.model, model.text_model or model", name)
	}
	text := &Config{values: maps.Clone(inside.values), where: inside.where, fault: c.fault}
	addDefaults(text.values, kind)
	text.values["model_type"] = family
	text.values["tie_word_embeddings"] = tiedText(c, inside)
	if q := c.values["quantization_config"]; q != nil {
		text.values["quantization_config"] = q
	}
	return textModel{text, view, within}, c.Err()
}

// textKind is the model_type of the text model in a wrapper.
func (c *Config) textKind() string {
	return c.Section("text_config").StringOr("model_type", wrappers[c.StringOr("model_type", "")])
}

// tiedText says whether a wrapped text model's head is its embedding table where no file holds one: so it is unless all that speak deny it,
// because releases of transformers look in one place or in the other.
func tiedText(c, inside *Config) bool {
	tied, denied := false, false
	for _, place := range []*Config{inside, c} {
		if place.Has("tie_word_embeddings") {
			tied, denied = tied || place.BoolOr("tie_word_embeddings", false), true
		}
	}
	return tied || !denied
}

// textTensors shows a wrapper's text model under the names that its own files would have, and nothing else.
type textTensors struct {
	weights.Tensors
	textNames
}

func (s textTensors) has(name string) bool {
	_, found := s.Lookup(name)
	return found
}

// stored is the name in the files.
func (s textTensors) stored(name string) string {
	if rest, found := strings.CutPrefix(name, "model."); found {
		return s.model + rest
	}
	if rest, found := strings.CutPrefix(name, "lm_head."); found {
		return s.head + rest
	}
	return name
}

func (s textTensors) Lookup(name string) (weights.Stored, bool) {
	return s.Tensors.Lookup(s.stored(name))
}

// Names lists the stored names of the text model's tensors.
func (s textTensors) Names() []string {
	var inside []string
	for _, name := range s.Tensors.Names() {
		if strings.HasPrefix(name, s.model) || strings.HasPrefix(name, s.head) {
			inside = append(inside, name)
		}
	}
	return inside
}

// rename gives a Spec that was built from this view the names of the files.
func (s textTensors) rename(spec *Spec) {
	seen := map[*Ref]bool{}
	spec.Refs(func(r *Ref) {
		if seen[r] {
			return
		}
		seen[r] = true
		r.Name = s.stored(r.Name)
		r.Joined = slices.Clone(r.Joined)
		for i, name := range r.Joined {
			r.Joined[i] = s.stored(name)
		}
	})
	spec.BlockPrefix = s.stored(spec.BlockPrefix)
}
