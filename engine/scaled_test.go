package engine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/edited"
	"avssnative/internal/gguf"
	"avssnative/internal/safetensors"
)

// codes are eight-bit codes of a type that mean numbers, and what they mean.
func codes(r *rand.Rand, dtype string, n int) (data []byte, values []float32) {
	for len(data) < n {
		code := byte(r.UintN(256))
		value := float64(int8(code))
		if dtype == "F8_E4M3" {
			exponent, fraction := int(code>>3&15), float64(code&7)
			if exponent == 15 && fraction == 7 {
				continue // no number
			}
			if value = math.Ldexp(8+fraction, exponent-10); exponent == 0 {
				value = math.Ldexp(fraction, -9)
			}
			if code>>7 == 1 {
				value = -value
			}
		}
		data, values = append(data, code), append(values, float32(value))
	}
	return data, values
}

func littleEndian(values []float32) []byte {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// Weights of eight bits with scales give the very logits of their products in float32, on every device, whatever shares a scale.
func TestScaledWeights(t *testing.T) {
	block := map[string]any{"quant_method": "fp8", "weight_block_size": []int{16, 16}}
	compressed := map[string]any{"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": map[string]any{}}
	for _, c := range []struct {
		name, golden, dtype, scale string
		config                     map[string]any
		high, wide                 int // that share a scale; 0: all
		zeros                      bool
	}{
		{"deepseek", "deepseek-v3", "F8_E4M3", "_scale_inv", block, 16, 16, false},
		{"deepseek-llama", "llama", "F8_E4M3", "_scale_inv", block, 16, 16, false},
		{"tensor", "llama", "F8_E4M3", "_scale_inv", map[string]any{"quant_method": "fp8"}, 0, 0, false},
		{"channel", "llama", "F8_E4M3", "_scale", compressed, 1, 0, false},
		{"int8", "llama", "I8", "_scale", compressed, 1, 0, false},
		{"int8 with zeros", "qwen3-moe", "I8", "_scale", compressed, 1, 8, true},
		{"fbgemm", "llama", "F8_E4M3", "_scale", map[string]any{"quant_method": "fbgemm_fp8"}, 1, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden := filepath.Join("testdata/architectures", c.golden)
			stored, err := safetensors.Open(filepath.Join(golden, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer stored.Close()
			r := rand.New(rand.NewPCG(3, 4))
			var quantised, plain []safetensors.Source
			for _, tensor := range stored.Tensors() {
				if len(tensor.Shape) != 2 || !strings.Contains(tensor.Name, "_proj") {
					continue
				}
				rows, cols := int(tensor.Shape[0]), int(tensor.Shape[1])
				high, wide := c.high, c.wide
				if high == 0 {
					high = rows
				}
				if wide == 0 {
					wide = cols
				}
				down, across := (rows+high-1)/high, (cols+wide-1)/wide
				data, values := codes(r, c.dtype, rows*cols)
				var zeroCodes []byte
				scales := make([]float32, down*across)
				for i := range scales {
					scales[i] = float32(1+r.Float64()) / 1024
					zeroCodes = append(zeroCodes, byte(int8(r.IntN(9)-4)))
				}
				for i := range values {
					at := i/cols/high*across + i%cols/wide
					if c.zeros {
						values[i] -= float32(int8(zeroCodes[at]))
					}
					values[i] *= scales[at]
				}
				shape := []int64{int64(down), int64(across)}
				if c.high == 0 {
					shape = []int64{}
				}
				quantised = append(quantised, safetensors.Bytes(tensor.Name, c.dtype, tensor.Shape, data), safetensors.Bytes(tensor.Name+c.scale, "F32",
					shape, littleEndian(scales)))
				if c.zeros {
					quantised = append(quantised, safetensors.Bytes(tensor.Name+"_zero_point", "I8", shape, zeroCodes))
				}
				plain = append(plain, safetensors.Bytes(tensor.Name, "F32", tensor.Shape, littleEndian(values)))
			}
			folder := edited.Folder(t, golden, func(config map[string]any) { config["quantization_config"] = c.config }, quantised...)
			dense := edited.Folder(t, golden, nil, plain...)
			for _, device := range []string{"reference", "cpu"} {
				m := open(t, folder, device)
				if err := m.Computable(); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(logitsOf(t, m), logitsOf(t, open(t, dense, device))) {
					t.Errorf("%s: other logits than in float32", device)
				}
				d, err := m.NewDecoder(engine.DecoderOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.Start(t.Context(), []engine.Prompt{{IDs: []int32{1, 2, 3}}}); err != nil {
					t.Errorf("%s: decoder: %v", device, err)
				}
				d.Close()
			}
		})
	}
}

// Scales that do not fit their values are an error that names the tensor, and so are whole numbers without any.
func TestScalesThatDoNotFit(t *testing.T) {
	const name = "model.layers.1.mlp.up_proj.weight"
	golden := open(t, "testdata/architectures/llama", "reference")
	stored, _ := golden.Tensors.Lookup(name)
	rows, cols := int64(stored.Shape[0]), int64(stored.Shape[1])
	for _, c := range []struct {
		dtype string
		scale []int64
		want  string
	}{
		{"F8_E4M3", []int64{rows + 1, 1}, "scales of shape"},
		{"F8_E4M3", []int64{5, 3}, "scales of shape"},
		{"I8", nil, "type I8 is copied, not computed"},
	} {
		sources := []safetensors.Source{safetensors.Bytes(name, c.dtype, []int64{rows, cols}, make([]byte, rows*cols))}
		if c.scale != nil {
			sources = append(sources, safetensors.Bytes(name+"_scale", "F32", c.scale, make([]byte, 4*c.scale[0]*c.scale[1])))
		}
		m := open(t, edited.Folder(t, "testdata/architectures/llama", func(config map[string]any) {
			config["quantization_config"] = map[string]any{"quant_method": "compressed-tensors"}
		}, sources...), "cpu")
		_, err := m.Run(t.Context(), engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{1, 2}}}})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s with scales %v: error %v, want %q", c.dtype, c.scale, err, c.want)
		}
	}
}

// IQ4_NL and IQ4_XS compute as the float32 values they decode to; types that are only copied open, and say at the first pass what they are.
func TestTypesOfGGUF(t *testing.T) {
	for kind, computed := range map[gguf.Type]bool{gguf.IQ4_NL: true, gguf.IQ4_XS: true, gguf.MXFP4: true,
		16: false, 17: false, 18: false, 19: false, 21: false, 22: false, 29: false, 34: false, 35: false} {
		elements, size := kind.Block()
		r := rand.New(rand.NewPCG(uint64(kind), 1))
		path := edited.WideGGUF(t, kind, func(n int) []byte { // factors of 2⁻⁶ in front of each block, norms of one
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(r.UintN(256))
			}
			switch {
			case n == 4*256:
				return bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 256)
			case n == 2*97*256:
				for i := 1; i < n; i += 2 {
					data[i] = 0x3c | data[i]&0x80
				}
				return data
			}
			for at := 0; at+size <= n; at += size {
				if kind == gguf.MXFP4 {
					data[at] = 120
					continue
				}
				data[at], data[at+1] = 0, 0x24
			}
			return data
		})
		for _, device := range []string{"reference", "cpu"} {
			m := open(t, path, device)
			if !computed {
				_, err := m.Run(t.Context(), engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{1, 2}}}})
				want := fmt.Sprintf("type %s is copied, not computed: prune --drop LIST", kind)
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: error %v, want %q", kind, err, want)
				}
				continue
			}
			file, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			var plain []gguf.Source
			for _, tensor := range file.Tensors() {
				if tensor.Type == kind {
					values := make([]float32, len(tensor.Data)/size*elements)
					if err := gguf.Dequantise(values, kind, tensor.Data); err != nil {
						t.Fatal(err)
					}
					plain = append(plain, gguf.Bytes(tensor.Name, gguf.F32, tensor.Shape, littleEndian(values)))
				}
			}
			file.Close()
			if !reflect.DeepEqual(logitsOf(t, m), logitsOf(t, open(t, edited.GGUF(t, path, nil, plain...), device))) {
				t.Errorf("%s on %s: other logits than in float32", kind, device)
			}
		}
	}
}
