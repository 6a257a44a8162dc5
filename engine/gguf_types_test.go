package engine_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/gguf"
)

// scales says where a block of each type keeps its factors of half precision.
var scales = map[gguf.Type][]int{
	gguf.Q4_0: {0}, gguf.Q4_1: {0, 2}, gguf.Q5_0: {0}, gguf.Q5_1: {0, 2}, gguf.Q8_0: {0},
	gguf.Q2_K: {80, 82}, gguf.Q3_K: {108}, gguf.Q4_K: {0, 2}, gguf.Q5_K: {0, 2}, gguf.Q6_K: {208},
}

// randomTensor is a tensor of a type and the same values in float32. Codes are random bits; factors are small and positive.
func randomTensor(t testing.TB, r *rand.Rand, name string, kind gguf.Type, rows, cols int) (stored, plain gguf.Source) {
	t.Helper()
	shape := []int64{int64(rows), int64(cols)}
	size, err := kind.Size(shape)
	if err != nil {
		t.Fatal(err)
	}
	elements, block := kind.Block()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	for at := 0; at < len(data); at += block {
		for _, place := range scales[kind] {
			// 2^-12 to 2^-11 for the types of 32, less for those whose blocks multiply by 6-bit factors too.
			exponent := uint16(3)
			if elements == 256 {
				exponent = 1
			}
			binary.LittleEndian.PutUint16(data[at+place:], exponent<<10|uint16(r.IntN(1024)))
		}
		switch kind {
		case gguf.MXFP4: // values up to 12 · 2^-10
			data[at] = byte(116 + r.IntN(3))
		case gguf.F16:
			binary.LittleEndian.PutUint16(data[at:], uint16(r.IntN(2))<<15|uint16(8+r.IntN(3))<<10|uint16(r.IntN(1024)))
		case gguf.BF16:
			binary.LittleEndian.PutUint16(data[at:], uint16(math.Float32bits(float32(r.NormFloat64()*0.02))>>16))
		case gguf.F32:
			binary.LittleEndian.PutUint32(data[at:], math.Float32bits(float32(r.NormFloat64()*0.02)))
		}
	}
	values := make([]float32, rows*cols)
	if err := gguf.Dequantise(values, kind, data); err != nil {
		t.Fatal(err)
	}
	decoded := make([]byte, 0, 4*len(values))
	for _, v := range values {
		decoded = binary.LittleEndian.AppendUint32(decoded, math.Float32bits(v))
	}
	return gguf.Bytes(name, kind, shape, data), gguf.Bytes(name, gguf.F32, shape, decoded)
}

// randomLlama writes a random model whose matrices are of a type, and the same model in float32.
func randomLlama(t testing.TB, kind gguf.Type) (stored, plain string) {
	t.Helper()
	const hidden, inner, vocab, heads, layers = 256, 512, 48, 4, 2
	r := rand.New(rand.NewPCG(uint64(kind), 7))
	metadata := []gguf.KV{
		{Key: "general.architecture", Value: "llama"}, {Key: "llama.block_count", Value: uint32(layers)}, {Key: "llama.context_length", Value: uint32(64)},
		{Key: "llama.embedding_length", Value: uint32(hidden)}, {Key: "llama.feed_forward_length", Value: uint32(inner)},
		{Key: "llama.attention.head_count", Value: uint32(heads)}, {Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)},
	}
	var blocks, floats []gguf.Source
	matrix := func(name string, rows, cols int) {
		a, b := randomTensor(t, r, name, kind, rows, cols)
		blocks, floats = append(blocks, a), append(floats, b)
	}
	norm := func(name string) {
		var data []byte
		for range hidden {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(1+r.NormFloat64()/8)))
		}
		one := gguf.Bytes(name, gguf.F32, []int64{hidden}, data)
		blocks, floats = append(blocks, one), append(floats, one)
	}
	matrix("token_embd.weight", vocab, hidden)
	for layer := range layers {
		name := func(rest string) string { return fmt.Sprintf("blk.%d.%s.weight", layer, rest) }
		norm(name("attn_norm"))
		norm(name("ffn_norm"))
		for _, m := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			matrix(name(m), hidden, hidden)
		}
		matrix(name("ffn_gate"), inner, hidden)
		matrix(name("ffn_up"), inner, hidden)
		matrix(name("ffn_down"), hidden, inner)
	}
	norm("output_norm.weight")
	folder := t.TempDir()
	stored, plain = filepath.Join(folder, "stored.gguf"), filepath.Join(folder, "plain.gguf")
	for path, tensors := range map[string][]gguf.Source{stored: blocks, plain: floats} {
		if err := gguf.Write(context.Background(), path, metadata, tensors); err != nil {
			t.Fatal(err)
		}
	}
	return stored, plain
}

// A model computes the same from stored blocks as from their values in float32. "reference" takes the same numbers, so its results are the
// same bits; "cpu" may sum in another order, over at most 512 products.
func TestGGUFTypes(t *testing.T) {
	sequences := [][]int32{{1}, {5, 3, 9, 40, 2, 2, 7}, {47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36}}
	for _, kind := range []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0, gguf.Q2_K, gguf.Q3_K,
		gguf.Q4_K, gguf.Q5_K, gguf.Q6_K, gguf.MXFP4} {
		stored, plain := randomLlama(t, kind)
		for _, device := range devices() {
			t.Run(fmt.Sprint(kind, "/", device), func(t *testing.T) {
				if kind == gguf.MXFP4 && strings.HasPrefix(device, "cuda") {
					t.Skip("skipped: no kernel of this device reads MXFP4, which it says")
				}
				want, _ := traced(t, plain, device, sequences)
				got, compute := traced(t, stored, device, sequences)
				allowed := tolerance(compute)
				if device == "reference" {
					allowed = 0
				}
				for name, values := range got {
					if off := distance(values, want[name]); !(off <= allowed) {
						t.Errorf("%s: off by %.2g of the root mean square, allowed %.2g", name, off, allowed)
					}
				}
				if len(got) != len(want) || len(got) != len(sequences)*4 {
					t.Errorf("%d and %d tensors, want %d", len(got), len(want), len(sequences)*4)
				}
			})
		}
	}
}
