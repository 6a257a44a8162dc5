package arch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"avssnative/engine/weights"
)

// Quantised folders. Weights of eight bits with scales beside them (DeepSeek's fp8, compressed-tensors' int8 and float8, fbgemm's float8) are
// values like others and computed with. What other methods store (GPTQ and AWQ in packed integers, bitsandbytes, MLX, four bits of
// compressed-tensors and gpt-oss) is not: such a model opens so that layers can be left out of its files, and nothing of it is computed.

// quantisationKeys are where configurations speak of it.
var quantisationKeys = []string{"quantization_config", "compression_config", "quantization"}

// scaledMethods are those whose scales have the names and the meaning that weights.Scaled knows.
var scaledMethods = map[string]bool{"fp8": true, "compressed-tensors": true, "fbgemm_fp8": true}

// quantisation is what a configuration says of it: the method, and the rows and columns that share a scale (nil: what the shapes say).
func (c *Config) quantisation() (method string, block []int) {
	for _, key := range quantisationKeys {
		if !c.Has(key) {
			continue
		}
		q := c.Section(key)
		method = q.StringOr("quant_method", "an unnamed method")
		if key == "quantization" && !q.Has("quant_method") {
			method = "mlx"
		}
		if !scaledMethods[method] {
			return method, nil
		}
		if block = q.Ints("weight_block_size"); block == nil {
			groups := q.Section("config_groups")
			for name := range groups.values {
				if shape := groups.Section(name).Section("weights").Ints("block_structure"); shape != nil {
					block = shape
				}
			}
		}
		if block != nil && (len(block) != 2 || block[0] < 1 || block[1] < 1 || block[0] > columnBound || block[1] > columnBound) {
			c.Fail("%s: weight_block_size: %v, want rows and columns", key, block)
		}
		return method, block
	}
	return "", nil
}

// packed shows a builder that a weight is there where its packed form is.
type packed struct{ weights.Tensors }

func (p packed) Lookup(name string) (weights.Stored, bool) {
	stored, found := p.Tensors.Lookup(name)
	if module, weight := strings.CutSuffix(name, ".weight"); weight && !found {
		for _, form := range []string{".qweight", ".weight_packed", ".scales"} {
			if stored, found = p.Tensors.Lookup(module + form); found {
				break
			}
		}
	}
	return stored, found
}

var numbered = regexp.MustCompile(`\.[0-9]+\.`)

// checkCopied says whether the tensors of a model that is only copied can be told apart by layer: every layer has some, none has a number
// beyond the last, and no other tensor of the language model is numbered.
func (s *Spec) checkCopied(names []string) error {
	held := make([]int, len(s.Blocks))
	for _, name := range names {
		layer, _, inside := s.BlockOf(name)
		switch {
		case inside && layer < len(held):
			held[layer]++
		case inside && layer >= len(held)+s.Unused:
			return fmt.Errorf("%s: tensor %s: of layer %d, in a model of %d layers; give a copy in F32, F16 or BF16", s.Family, name, layer, len(held))
		case !inside && numbered.MatchString(name) && !strings.HasPrefix(name, furtherPrefix):
			return fmt.Errorf("%s: tensor %s: weights quantised by %q, and of which layer it is cannot be told; give a copy in F32, F16 or BF16",
				s.Family, name, s.Copied)
		}
	}
	for layer, count := range held {
		if count == 0 {
			return fmt.Errorf("%s: no tensor of layer %d (%s); give a copy in F32, F16 or BF16", s.Family, layer, strings.Replace(s.BlockPrefix,
				"%d", strconv.Itoa(layer), 1))
		}
	}
	return nil
}

// Computable says why nothing can be computed with the model, or nil.
func (s *Spec) Computable(source weights.Tensors) error {
	if s.Copied != "" {
		return fmt.Errorf("weights quantised by %q are copied, not computed: prune --drop LIST writes the pruned model without scores; "+
			"to score it, give a copy in F32, F16, BF16 or FP8, or a .gguf file", s.Copied)
	}
	var fault error
	s.Refs(func(r *Ref) {
		if fault == nil {
			stored, found := source.Lookup(r.Name)
			if fault = stored.Computable(); !found {
				fault = weights.Missing(source, r.Name)
			}
		}
	})
	return fault
}

// shortenQuantisation renames what a configuration says of single modules (those left as they are, those with settings of their own) to the
// layers in stay, and takes out what it says of layers that go.
func (s *Spec) shortenQuantisation(config map[string]any, stay []int) error {
	for _, key := range quantisationKeys {
		value, there := config[key]
		if !there {
			continue
		}
		short, err := s.renamed(value, stay)
		if err != nil {
			return fmt.Errorf("config.json: %s: %w", key, err)
		}
		config[key] = short
	}
	return nil
}

// renamed is a value of JSON with the names of modules in it renamed.
func (s *Spec) renamed(value any, stay []int) (any, error) {
	switch v := value.(type) {
	case []any:
		kept := make([]any, 0, len(v))
		for _, item := range v {
			if text, ok := item.(string); ok {
				name, stays, err := s.module(text, stay)
				if err != nil {
					return nil, err
				}
				if stays {
					kept = append(kept, name)
				}
				continue
			}
			item, err := s.renamed(item, stay)
			if err != nil {
				return nil, err
			}
			kept = append(kept, item)
		}
		return kept, nil
	case map[string]any:
		kept := make(map[string]any, len(v))
		for key, item := range v {
			name, stays, err := s.module(key, stay)
			if err != nil {
				return nil, err
			}
			if item, err = s.renamed(item, stay); err != nil {
				return nil, err
			}
			if stays {
				kept[name] = item
			}
		}
		return kept, nil
	}
	return value, nil
}

// patterned is a regular expression that speaks of a numbered layer.
var patterned = regexp.MustCompile(`\\\.[0-9]+|\\\.[(\[]`)

// module is a module's name in the pruned model; what names no layer of the language model stays as it is. Names may lack the beginning of
// the tensors' names.
func (s *Spec) module(name string, stay []int) (short string, stays bool, err error) {
	before, _, _ := strings.Cut(s.BlockPrefix, "%d")
	list := before[strings.LastIndex(strings.TrimSuffix(before, "."), ".")+1:] // "layers."
	if patterned.MatchString(name) && strings.Contains(name, strings.TrimSuffix(list, ".")+`\.`) {
		return "", false, fmt.Errorf("%.80q names layers by a pattern, which cannot be renumbered; list the modules by name", name)
	}
	at := strings.Index(name, list)
	if at < 0 || at > 0 && name[at-1] != '.' || !strings.HasSuffix(before, name[:at+len(list)]) {
		return name, true, nil
	}
	dotted := name + "."
	full, stays := s.Renumber(before+strings.TrimPrefix(dotted, name[:at+len(list)]), stay)
	if !stays {
		return "", false, nil
	}
	return name[:at+len(list)] + strings.TrimSuffix(strings.TrimPrefix(full, before), "."), true, nil
}
