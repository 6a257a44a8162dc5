// Package shaped writes models of random weights in the shape of published ones, at full size or scaled down in the same ratios: what a walk
// takes of memory, reading and time depends on shapes alone. Weights are streamed to the disk, so that a model larger than memory can be made.
package shaped

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"avssnative/internal/safetensors"
)

// Shape is that of a Llama (arXiv 2302.13971). The zero value is no shape; see Llama7B.
type Shape struct {
	Layers, Hidden, MLP, Heads, KVHeads, Vocab, Context int
}

// Llama7B is Llama 2 7B (arXiv 2307.09288): 13.5 GB in bfloat16.
var Llama7B = Shape{Layers: 32, Hidden: 4096, MLP: 11008, Heads: 32, KVHeads: 32, Vocab: 32000, Context: 4096}

// Scaled is the shape with an n-th of its width and vocabulary, and so an n²-th of its bytes.
func (s Shape) Scaled(n int) (Shape, error) {
	for _, size := range []int{s.Hidden, s.MLP, s.Heads, s.KVHeads, s.Vocab} {
		if n < 1 || size%n != 0 {
			return s, fmt.Errorf("shaped: %d cannot be parted in %d", size, n)
		}
	}
	s.Hidden, s.MLP, s.Heads, s.KVHeads, s.Vocab = s.Hidden/n, s.MLP/n, s.Heads/n, s.KVHeads/n, s.Vocab/n
	return s, nil
}

// Write makes the model's folder: config.json, the weights in bfloat16 and a copy of the tokenizer in another model's folder, of whose ids none
// may lie beyond the vocabulary. The same shape has the same bytes.
func Write(ctx context.Context, dir string, s Shape, tokenizer string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("shaped: %w", err)
	}
	config, err := json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "torch_dtype": "bfloat16", "hidden_act": "silu",
		"hidden_size": s.Hidden, "intermediate_size": s.MLP, "num_attention_heads": s.Heads, "num_key_value_heads": s.KVHeads,
		"num_hidden_layers": s.Layers, "vocab_size": s.Vocab, "max_position_embeddings": s.Context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
		"tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 0,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("shaped: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
		return fmt.Errorf("shaped: %w", err)
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join(tokenizer, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("shaped: %w", err)
		}
	}
	_, err = safetensors.Write(ctx, dir, s.sources(), nil, 0)
	return err
}

// sources are the tensors in the order in which a walk reads them.
func (s Shape) sources() []safetensors.Source {
	var all []safetensors.Source
	matrix := func(name string, out, in int) {
		seed := uint64(len(all))
		all = append(all, safetensors.Source{Name: name, DType: "BF16", Shape: []int64{int64(out), int64(in)}, Size: 2 * int64(out) * int64(in),
			Stream: func(w io.Writer) error { return random(w, out*in, 1/math.Sqrt(float64(in)), seed) }})
	}
	ones := func(name string) {
		data := make([]byte, 2*s.Hidden)
		for i := range s.Hidden {
			binary.LittleEndian.PutUint16(data[2*i:], bfloat16(1))
		}
		all = append(all, safetensors.Bytes(name, "BF16", []int64{int64(s.Hidden)}, data))
	}
	head := s.Hidden / s.Heads
	matrix("model.embed_tokens.weight", s.Vocab, s.Hidden)
	for l := range s.Layers {
		layer := fmt.Sprintf("model.layers.%d.", l)
		ones(layer + "input_layernorm.weight")
		matrix(layer+"self_attn.q_proj.weight", s.Hidden, s.Hidden)
		matrix(layer+"self_attn.k_proj.weight", s.KVHeads*head, s.Hidden)
		matrix(layer+"self_attn.v_proj.weight", s.KVHeads*head, s.Hidden)
		matrix(layer+"self_attn.o_proj.weight", s.Hidden, s.Hidden)
		ones(layer + "post_attention_layernorm.weight")
		matrix(layer+"mlp.gate_proj.weight", s.MLP, s.Hidden)
		matrix(layer+"mlp.up_proj.weight", s.MLP, s.Hidden)
		matrix(layer+"mlp.down_proj.weight", s.Hidden, s.MLP)
	}
	ones("model.norm.weight")
	matrix("lm_head.weight", s.Vocab, s.Hidden)
	return all
}

// random writes normal values of so much spread, each drawn from a table of 2¹⁶ of them.
func random(w io.Writer, count int, spread float64, seed uint64) error {
	draw := rand.New(rand.NewPCG(seed, 7))
	table := make([]uint16, 1<<16)
	for i := range table {
		table[i] = bfloat16(float32(draw.NormFloat64() * spread))
	}
	buffered := bufio.NewWriterSize(w, 1<<20)
	var eight [8]byte
	for at := 0; at < count; at += 4 {
		bits := draw.Uint64()
		for i := range 4 {
			binary.LittleEndian.PutUint16(eight[2*i:], table[uint16(bits>>(16*i))])
		}
		if _, err := buffered.Write(eight[:2*min(4, count-at)]); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// bfloat16 rounds to nearest, ties to even.
func bfloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
