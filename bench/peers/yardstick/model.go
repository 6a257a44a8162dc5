// Package yardstick holds what measurements are held against: models of random weights in any size, written as the folders that every
// program of the field opens, and the most that the processor can do.
package yardstick

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"avssnative/internal/safetensors"
)

// Shape is the size of a model in the Llama layout (arXiv 2302.13971), with output weights of its own.
type Shape struct {
	Layers, Hidden, Inner, Heads, KVHeads, Vocab, Context int
}

// Shapes are the sizes that are measured: "small" is GPT-2's smallest, "1b" is TinyLlama's (arXiv 2401.02385), "quick" is for trying
// the measurement itself.
var Shapes = map[string]Shape{
	"quick": {Layers: 4, Hidden: 128, Inner: 352, Heads: 4, KVHeads: 2, Vocab: 1000, Context: 2048},
	"small": {Layers: 12, Hidden: 768, Inner: 2048, Heads: 12, KVHeads: 12, Vocab: 32000, Context: 2048},
	"1b":    {Layers: 22, Hidden: 2048, Inner: 5632, Heads: 32, KVHeads: 4, Vocab: 32000, Context: 2048},
}

// block is the number of values in the matrices of one layer.
func (s Shape) block() int64 {
	keys := s.Hidden / s.Heads * s.KVHeads
	return int64(s.Hidden) * int64(2*s.Hidden+2*keys+3*s.Inner)
}

// Parameters is the number of values in the model.
func (s Shape) Parameters() int64 {
	return int64(s.Layers)*(s.block()+2*int64(s.Hidden)) + 2*int64(s.Vocab)*int64(s.Hidden) + int64(s.Hidden)
}

// Flops is the least arithmetic for one sequence of the given tokens through blocks blocks and, for scored of its rows, the head: two operations a
// weight and row, and 2·tokens²·hidden a block for attention, whose masked half nobody has to compute.
func (s Shape) Flops(tokens, blocks, scored int) float64 {
	t, h := float64(tokens), float64(s.Hidden)
	return float64(blocks)*(2*t*float64(s.block())+2*t*t*h) + 2*float64(scored)*float64(s.Vocab)*h
}

// tensor is a stored matrix, or a vector of ones where scale is 0.
type tensor struct {
	name       string
	rows, cols int
	scale      float64 // standard deviation
}

// tensors are the model's, in the order in which they are stored. Matrices that end a branch are smaller by √(2·layers), as at the start of a
// training, so that the residual stream of a deep model stays in range.
func (s Shape) tensors() []tensor {
	const deviation = 0.02
	last := deviation / math.Sqrt(2*float64(s.Layers))
	keys := s.Hidden / s.Heads * s.KVHeads
	all := []tensor{{"model.embed_tokens.weight", s.Vocab, s.Hidden, deviation}}
	for l := range s.Layers {
		for _, t := range []tensor{
			{"input_layernorm.weight", 1, s.Hidden, 0},
			{"self_attn.q_proj.weight", s.Hidden, s.Hidden, deviation},
			{"self_attn.k_proj.weight", keys, s.Hidden, deviation},
			{"self_attn.v_proj.weight", keys, s.Hidden, deviation},
			{"self_attn.o_proj.weight", s.Hidden, s.Hidden, last},
			{"post_attention_layernorm.weight", 1, s.Hidden, 0},
			{"mlp.gate_proj.weight", s.Inner, s.Hidden, deviation},
			{"mlp.up_proj.weight", s.Inner, s.Hidden, deviation},
			{"mlp.down_proj.weight", s.Hidden, s.Inner, last},
		} {
			t.name = fmt.Sprintf("model.layers.%d.%s", l, t.name)
			all = append(all, t)
		}
	}
	return append(all, tensor{"model.norm.weight", 1, s.Hidden, 0}, tensor{"lm_head.weight", s.Vocab, s.Hidden, deviation})
}

// Write writes config.json and safetensors with weights of the given type, F32 or BF16, into dir, which it makes. The same shape always has the
// same weights; BF16 ones are the F32 ones rounded to the nearest.
func (s Shape) Write(ctx context.Context, dir, dtype string) error {
	width := map[string]int64{"F32": 4, "BF16": 2}[dtype]
	if width == 0 {
		return fmt.Errorf("yardstick: type %q: want F32 or BF16", dtype)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("yardstick: %w", err)
	}
	var sources []safetensors.Source
	for _, t := range s.tensors() {
		shape := []int64{int64(t.rows), int64(t.cols)}
		if t.scale == 0 {
			shape = shape[1:]
		}
		sources = append(sources, safetensors.Source{Name: t.name, DType: dtype, Shape: shape, Size: int64(t.rows) * int64(t.cols) * width,
			Stream: func(w io.Writer) error { return t.stream(w, dtype) }})
	}
	if _, err := safetensors.Write(ctx, dir, sources, nil, 0); err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "dtype": map[string]string{"F32": "float32", "BF16": "bfloat16"}[dtype],
		"hidden_size": s.Hidden, "intermediate_size": s.Inner, "num_hidden_layers": s.Layers, "num_attention_heads": s.Heads,
		"num_key_value_heads": s.KVHeads, "head_dim": s.Hidden / s.Heads, "vocab_size": s.Vocab, "max_position_embeddings": s.Context,
		"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false,
		"bos_token_id": 1, "eos_token_id": 2,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), append(config, '\n'), 0o644)
}

// stream writes the tensor's values: uniform ones, four from a random word, seeded by the tensor's name.
func (t tensor) stream(w io.Writer, dtype string) error {
	out := bufio.NewWriterSize(w, 1<<20)
	seed := fnv.New64a()
	io.WriteString(seed, t.name)
	random := rand.NewPCG(seed.Sum64(), 2411)
	width := t.scale * math.Sqrt(12) / (1 << 16)
	var bytes [4]byte
	word := uint64(0)
	for i := range t.rows * t.cols {
		value := float32(1)
		if t.scale != 0 {
			if i%4 == 0 {
				word = random.Uint64()
			}
			value = float32((float64(word&0xffff) - 32767.5) * width)
			word >>= 16
		}
		bits := math.Float32bits(value)
		used := bytes[:4]
		if dtype == "BF16" {
			binary.LittleEndian.PutUint16(bytes[:], uint16((bits+0x7fff+bits>>16&1)>>16))
			used = bytes[:2]
		} else {
			binary.LittleEndian.PutUint32(bytes[:], bits)
		}
		if _, err := out.Write(used); err != nil {
			return err
		}
	}
	return out.Flush()
}

// IDs are count sequences of tokens token ids each, the same every time.
func (s Shape) IDs(count, tokens int) [][]int32 {
	r := rand.New(rand.NewPCG(2411, 2117))
	all := make([][]int32, count)
	for i := range all {
		all[i] = make([]int32, tokens)
		for j := range all[i] {
			all[i][j] = int32(r.IntN(s.Vocab))
		}
	}
	return all
}

// Named finds a shape by name; the error lists those there are.
func Named(name string) (Shape, error) {
	if s, ok := Shapes[name]; ok {
		return s, nil
	}
	var known []string
	for name := range Shapes {
		known = append(known, name)
	}
	return Shape{}, fmt.Errorf("yardstick: shape %q: unknown; known: %s", name, strings.Join(known, ", "))
}
