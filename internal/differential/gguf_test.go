package differential

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"avssnative/internal/gguf"
	"avssnative/internal/need"
)

// quantised are the types whose blocks are read.
var quantised = []gguf.Type{gguf.F16, gguf.BF16, gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0, gguf.Q2_K, gguf.Q3_K,
	gguf.Q4_K, gguf.Q5_K, gguf.Q6_K, gguf.IQ4_NL, gguf.IQ4_XS, gguf.MXFP4}

// written are those that the Python package writes too.
var written = []gguf.Type{gguf.F16, gguf.BF16, gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0}

// TestBlocks reads blocks of any bits, scales that are no finite numbers among them. Which of the many NaNs comes of such a one is not compared.
func TestBlocks(t *testing.T) {
	python := start(t, need.Python(t, "gguf", "numpy"), "gguf")
	for i, kind := range quantised {
		t.Run(kind.String(), func(t *testing.T) {
			elements, size := kind.Block()
			rounds(t, uint64(i), allowed(t, len(quantised)), func(random *rand.Rand) int {
				blocks := randomBlocks(random, 4096/elements+1, size)
				var want []byte
				python.ask(t, []any{kind.String(), blocks}, &want)
				got := make([]float32, len(blocks)/size*elements)
				if err := gguf.Dequantise(got, kind, blocks); err != nil {
					t.Fatal(err)
				}
				if len(want) != 4*len(got) {
					t.Fatalf("%d bytes of values, want %d", len(want), 4*len(got))
				}
				for i, value := range got {
					bits := binary.LittleEndian.Uint32(want[4*i:])
					if other := math.Float32frombits(bits); math.Float32bits(value) != bits && (value == value || other == other) {
						block := i / elements * size
						t.Fatalf("value %d of %x is %g (%08x), want %g (%08x)", i%elements, blocks[block:block+size], value, math.Float32bits(value), other, bits)
					}
				}
				return len(blocks) / size
			})
		})
	}
}

// randomBlocks are blocks of random bytes, of few bytes, or of zeros and ones.
func randomBlocks(random *rand.Rand, count, size int) []byte {
	blocks := make([]byte, count*size)
	for b := range count {
		block, way := blocks[b*size:(b+1)*size], random.IntN(6)
		one := byte(random.Uint32())
		for i := range block {
			switch way {
			case 0:
				block[i] = one
			case 1:
				block[i] = pick(random, []byte{0, 255, one})
			default:
				block[i] = byte(random.Uint32())
			}
		}
	}
	return blocks
}

// TestValues writes values of all magnitudes, zeros of both signs, ties, and blocks that are nearly constant. What needs an infinite scale is
// an error here; the Python package writes it. Values so small that their scale has no reciprocal become codes of infinities there, which a
// processor makes of it as it likes; all of them are zeros once read.
func TestValues(t *testing.T) {
	python := start(t, need.Python(t, "gguf", "numpy"), "quantise")
	for i, kind := range written {
		t.Run(kind.String(), func(t *testing.T) {
			elements, size := kind.Block()
			rounds(t, uint64(100+i), allowed(t, len(written)), func(random *rand.Rand) int {
				values := randomValues(random, 4096/elements+1, elements)
				raw := make([]byte, 4*len(values))
				for i, value := range values {
					binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(value))
				}
				var want []byte
				python.ask(t, []any{kind.String(), raw}, &want)
				compared := 0
				for b := range len(values) / elements {
					got, block := make([]byte, size), values[b*elements:(b+1)*elements]
					if gguf.Quantise(got, kind, block) != nil || elements > 1 && slices.Max(magnitudes(block)) < 0x1p-120 {
						continue
					}
					compared++
					if string(got) != string(want[b*size:(b+1)*size]) {
						t.Fatalf("%g is %x, want %x", block, got, want[b*size:(b+1)*size])
					}
				}
				if 2*compared < len(values)/elements {
					t.Fatalf("%d blocks of %d are written", compared, len(values)/elements)
				}
				return compared
			})
		})
	}
}

func magnitudes(values []float32) []float64 {
	all := make([]float64, len(values))
	for i, value := range values {
		all[i] = math.Abs(float64(value))
	}
	return all
}

func randomValues(random *rand.Rand, blocks, elements int) []float32 {
	values := make([]float32, 0, blocks*elements)
	for range blocks {
		scale, way := math.Ldexp(1, random.IntN(30)-20), random.IntN(6)
		if random.IntN(16) == 0 {
			scale = math.Ldexp(1, random.IntN(277)-149)
		}
		for range elements {
			value := random.NormFloat64() * scale
			switch way {
			case 0: // ties
				value = float64(random.IntN(33)-16) / 2 * scale
			case 1:
				value = scale
				if random.IntN(4) == 0 {
					value = math.Nextafter(scale, 0)
				}
			case 2:
				value = pick(random, []float64{0, math.Copysign(0, -1), scale, -scale, value})
			}
			if value > math.MaxFloat32 || value < -math.MaxFloat32 {
				value = 0
			}
			values = append(values, float32(value))
		}
	}
	return values
}
