package cuda

import (
	"slices"

	"avssnative/engine/device"
)

// A scenario runs one kernel on a small case in which every one of its parts works.
type scenario struct {
	kernel  string
	compute device.Compute
	run     func(d *gpu)
}

// scenarioFailure is what the last Sync of a scenario said.
var scenarioFailure error

// done waits for a scenario.
func done(d *gpu) { scenarioFailure = d.Sync() }

// filled is a tensor of values from −1 to 1.
func filled(d *gpu, rows, cols int) device.Tensor {
	t := d.NewTensor(rows, cols)
	d.Upload(t, 0, sequence(rows*cols, uint32(rows*7+cols)))
	return t
}

func weight(out, in int) device.Weight {
	data := make([]byte, 2*out*in)
	for i, v := range sequence(out*in, 3) {
		data[2*i+1] = byte(int8(60 + int(v*3))) // bfloat16 of modest size
		data[2*i] = byte(i)
	}
	return device.Weight{Name: "scenario", Type: device.BF16, Data: data, Out: out, In: in, Stride: in}
}

// onWeight runs an operation on filled rows and a weight, waits for it and gives both back.
func onWeight(rows int, w device.Weight, force *tile, operation func(d *gpu, x device.Tensor, m device.Matrix)) func(d *gpu) {
	return func(d *gpu) {
		d.forced = force
		defer func() { d.forced = nil }()
		m, err := d.Matrix(w)
		if err != nil {
			panic(err)
		}
		x := filled(d, rows, w.In)
		operation(d, x, m)
		done(d)
		m.Release()
		x.Free()
	}
}

func product(rows, in, out int, force *tile) func(d *gpu) {
	return onWeight(rows, weight(out, in), force, func(d *gpu, x device.Tensor, m device.Matrix) {
		y := d.NewTensor(rows, out)
		defer y.Free()
		d.Product(y, x, m, nil)
	})
}

// sharing runs a product whose tiles so many blocks share.
func sharing(blocks int, run func(d *gpu)) func(d *gpu) {
	return func(d *gpu) {
		d.sharing = blocks
		defer func() { d.sharing = 0 }()
		run(d)
	}
}

func quantised(kind device.DType, bytes, values int) func(d *gpu) {
	const in, out, rows = 512, 40, 17
	return onWeight(rows, blocks(kind, in, out, bytes, values), nil, func(d *gpu, x device.Tensor, m device.Matrix) {
		y := d.NewTensor(rows, out)
		defer y.Free()
		d.Product(y, x, m, nil)
	})
}

// blocks is a weight of quantised blocks; any bytes are one, as long as the scales (the first four) are no more than modest.
func blocks(kind device.DType, in, out, bytes, values int) device.Weight {
	data := make([]byte, out*in/values*bytes)
	for i := range data {
		data[i] = byte(i*37 + i>>8)
		if i%bytes < 4 && i%2 == 1 {
			data[i] = 0x28
		}
	}
	return device.Weight{Name: "scenario", Type: kind, Data: data, Out: out, In: in, Stride: in}
}

func attention(rows, head, value int) func(d *gpu) {
	return func(d *gpu) {
		q, k, v, to := filled(d, rows, 2*head), filled(d, rows, head), filled(d, rows, value), d.NewTensor(rows, 2*value)
		d.Attention(to, q, k, v, device.Attention{Heads: 2, KVHeads: 1, HeadDim: head, ValueDim: value, Scale: 0.2, Causal: true, SoftCap: 20},
			&device.Layout{Start: []int32{0, int32(rows)}})
		done(d)
		for _, t := range []device.Tensor{q, k, v, to} {
			t.Free()
		}
	}
}

func measured(d *gpu) {
	const rows, cols = 20, 300
	x, y, act := filled(d, rows, cols), filled(d, rows, cols), filled(d, rows, cols+20)
	d.Measure(&device.Measure{X: x, Y: y, Attn: x, MLP: y, Act: act, Layout: &device.Layout{Start: []int32{0, rows}}, Eps: device.DefaultEps,
		Relative: device.DefaultRelative, Pooled: true})
	done(d)
	for _, t := range []device.Tensor{x, y, act} {
		t.Free()
	}
}

// summedProduct is a product whose results' sums are taken on the way and then used.
func summedProduct(rows, in, out int, force *tile) func(d *gpu) {
	return onWeight(rows, weight(out, in), force, func(d *gpu, x device.Tensor, m device.Matrix) {
		y, bias := d.NewTensor(rows, out), filled(d, 1, out)
		defer y.Free()
		defer bias.Free()
		d.ProductSummed(y, x, m, bias, device.DefaultEps)
		layout := &device.Layout{Start: []int32{0, int32(rows)}}
		d.Measure(&device.Measure{Y: y, Attn: y, MLP: y, Layout: layout, Eps: device.DefaultEps, SkipRelativeBelow: true})
	})
}

// headed is a head of two variants, whose rows want the tokens they are the numbers of and the last one.
func headed(rows, hidden, vocab int, force *tile, diverge bool) func(d *gpu) {
	return onWeight(rows, weight(vocab, hidden), force, func(d *gpu, x device.Tensor, m device.Matrix) {
		bias := filled(d, 1, vocab)
		defer bias.Free()
		h := &device.Head{X: []device.Tensor{x, x}, Weight: m, Bias: bias, SoftCap: 20, Offsets: []int32{0}, Diverge: diverge}
		for r := range rows {
			h.Targets = append(h.Targets, int32(r%vocab), int32(vocab-1))
			h.Offsets = append(h.Offsets, int32(len(h.Targets)))
		}
		d.Head(h)
	})
}

// headedPlain is a head of so many variants that wants no tokens.
func headedPlain(rows, hidden, vocab, variants int, force *tile, diverge bool) func(d *gpu) {
	return onWeight(rows, weight(vocab, hidden), force, func(d *gpu, x device.Tensor, m device.Matrix) {
		d.Head(&device.Head{X: slices.Repeat([]device.Tensor{x}, variants), Weight: m, Diverge: diverge})
	})
}

// scenarios lists every kernel that threads share anything in, and the ones that only move values once.
func scenarios() []scenario {
	f32, bf16 := device.ComputeF32, device.ComputeBF16
	list := []scenario{
		{"product_bf16", bf16, product(130, 7*32, 260, &tileBig)},
		{"product_bf16_mid", bf16, product(66, 7*32, 70, &tileMid)},
		{"product_bf16_few", bf16, product(17, 15*32, 40, &tileFew)},
		{"product_q8_0_few", bf16, quantised(device.Q8_0, 34, 32)},
		{"product_q4_k_few", bf16, quantised(device.Q4_K, 144, 256)},
		{"product_f32", f32, product(66, 50, 66, nil)},
		{"product_f32_few", f32, product(5, 50, 66, nil)},
		{"product_bf16_sums", bf16, summedProduct(130, 7*32, 260, &tileBig)},
		{"product_bf16_mid_sums", bf16, summedProduct(66, 7*32, 70, &tileMid)},
		{"product_split", bf16, sharing(2, product(20, 5*32, 520, &tileBig))},
		{"product_split_wide", bf16, sharing(2, product(20, 5*32, 260, &tileWide))},
		{"product_split_mid", bf16, sharing(2, product(66, 5*32, 130, &tileMid))},
		{"product_split_sums", bf16, sharing(2, summedProduct(20, 5*32, 520, &tileBig))},
		{"product_split_wide_sums", bf16, sharing(2, summedProduct(20, 5*32, 260, &tileWide))},
		{"product_split_mid_sums", bf16, sharing(2, summedProduct(66, 5*32, 130, &tileMid))},
		{"product_f32_sums", f32, summedProduct(66, 50, 70, nil)},
		{"product_bf16_head", bf16, headed(130, 40, 300, &tileBig, false)},
		{"product_bf16_mid_head", bf16, headed(66, 40, 70, &tileMid, false)},
		{"product_f32_head", f32, headed(66, 40, 70, nil, false)},
		{"head_merge", f32, headed(9, 8, vocabTile+300, nil, false)},
		{"attention_bf16_64", bf16, attention(150, 64, 64)},
		{"attention_bf16_128", bf16, attention(150, 128, 96)},
		{"attention_bf16_256", bf16, attention(80, 192, 128)},
		{"attention_f32_64", f32, attention(40, 16, 16)},
		{"attention_f32_128", f32, attention(40, 16, 80)},
		{"attention_f32_256", f32, attention(40, 16, 140)},
		{"measure", f32, measured},
		{"measure", f32, summedProduct(20, 50, 300, nil)},
		{"merge", f32, measured},
		{"pooled", f32, measured},
		{"pooled_variance", f32, measured},
		{"normalise", bf16, func(d *gpu) {
			x, y, weight := filled(d, 3, 301), filled(d, 3, 301), filled(d, 1, 301)
			d.Add(x, x, y, 1)
			d.Norm(y, x, device.Norm{Kind: device.NormLayer, Eps: 1e-5, Weight: weight, Bias: weight})
			done(d)
		}},
		{"head_tile", bf16, headed(2, 8, vocabTile+300, nil, true)},
		{"head_tile_f32", f32, headed(2, 8, vocabTile+300, nil, true)},
		{"convert_transposed", bf16, func(d *gpu) {
			w := weight(40, 40)
			w.Transposed = true
			if m, err := d.Matrix(w); err == nil {
				m.Release()
			}
			done(d)
		}},
		{"delta", f32, func(d *gpu) {
			const rows = 9
			q, v, g, to := filled(d, rows, 40), filled(d, rows, 80), filled(d, rows, 2), d.NewTensor(rows, 80)
			rule := device.DeltaRule{Q: q, K: q, V: v, Gate: g, Beta: g, Heads: 2, KeyHeads: 1, KeyDim: 40, ValueDim: 40}
			d.DeltaRule(to, rule, &device.Layout{Start: []int32{0, rows}})
			rule.State = filled(d, 2, 2*40*40)
			d.DeltaRule(to, rule, &device.Layout{Start: []int32{0, 4, rows}})
			done(d)
		}},
		{"add", f32, func(d *gpu) { x := filled(d, 5, 70); d.Add(x, x, x, 2); done(d) }},
		{"scale", f32, func(d *gpu) { d.Scale(filled(d, 3, 70), 2, []float32{1, 2, 3}); done(d) }},
		{"clamp", f32, func(d *gpu) { d.Clamp(filled(d, 3, 70), 0.5); done(d) }},
		{"activate", bf16, func(d *gpu) {
			x := filled(d, 3, 70)
			d.Activate(d.NewTensor(3, 70), x, x, device.Activation{Kind: device.SiLU})
			done(d)
		}},
		{"rope", f32, func(d *gpu) {
			d.Rope(filled(d, 3, 32), device.Rope{HeadDim: 16, Frequencies: []float64{1, 0.1, 0.01}}, []int32{0, 1, 2})
			done(d)
		}},
		{"gather", f32, func(d *gpu) { d.Gather(d.NewTensor(2, 40), filled(d, 3, 40), []int32{2, 0}); done(d) }},
		{"scatter", f32, func(d *gpu) {
			d.Scatter(d.NewTensor(3, 40), filled(d, 3, 40), []int32{2, 0, 2}, []float32{1, 2, 3})
			done(d)
		}},
		{"columns", f32, func(d *gpu) {
			d.Columns(d.NewTensor(3, 40), filled(d, 3, 40), []device.Move{{From: 1, To: 2, Count: 30}})
			done(d)
		}},
		{"convolve", f32, func(d *gpu) {
			d.Convolve(d.NewTensor(9, 40), filled(d, 9, 40), filled(d, 40, 4), nil, &device.Layout{Start: []int32{0, 4, 9}})
			done(d)
		}},
		{"embed", f32, func(d *gpu) {
			if m, err := d.Matrix(weight(9, 40)); err == nil {
				d.Embed(d.NewTensor(2, 40), m, []int32{8, 1}, 1)
				done(d)
				m.Release()
			}
		}},
		{"convert", f32, product(5, 50, 66, nil)},
		{"narrow", bf16, product(5, 50, 66, nil)},
		{"dequantise", f32, func(d *gpu) {
			w := device.Weight{Name: "scenario", Type: device.Q8_0, Data: make([]byte, 3*68), Out: 3, In: 64, Stride: 64}
			if m, err := d.Matrix(w); err == nil {
				m.Release()
			}
			done(d)
		}},
	}
	return list
}
