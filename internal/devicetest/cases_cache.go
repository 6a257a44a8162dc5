package devicetest

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

// What continues sequences: attention over a cache of keys and values, and delta rules that go on from a state.

// A continued sequence has rows in a cache, those of a prefix elsewhere in it among them, and new rows. The first so many are gone. Where past is
// negative, so many of the new rows stand where the prefix does, as they do in a ring that ends there.
type continued struct{ prefix, past, rows, gone int }

func (c continued) length() int { return c.prefix + c.past + c.rows }

var (
	stepping = []continued{{0, 0, 1, 0}, {0, 5, 1, 0}, {3, 0, 1, 0}, {20, 290, 1, 0}, {256, 0, 1, 0}, {7, 30, 3, 0}, {0, 0, 9, 0}, {0, 255, 2, 0},
		{300, 1, 1, 0}}
	lone = []continued{{5, 12, 1, 0}}
	// of a window of 20: nothing but what it sees is there
	windowed = []continued{{0, 5, 1, 0}, {290, 10, 1, 281}, {290, 10, 4, 281}, {310, -6, 9, 285}, {90, 0, 40, 71}, {256, 30, 2, 256}, {0, 300, 3, 281},
		{530, -20, 70, 491}}
	// of chunks of 20, of which two are seen by what begins in one and ends in the next
	chunked = []continued{{0, 5, 1, 0}, {290, 10, 1, 300}, {290, 15, 4, 300}, {310, -6, 9, 300}, {90, 0, 40, 80}, {276, 10, 2, 280}, {530, -20, 70, 500}}
)

func cacheCases() []testCase {
	var cases []testCase
	for _, operation := range []string{"Attention", "AttentionFew"} {
		add := func(name string, of []continued, a device.Attention) {
			if a.Scale == 0 {
				a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim)))
			}
			cases = append(cases, cacheCase(operation, name, of, 2, a))
		}
		for _, s := range []struct{ heads, kvHeads, dim, valueDim int }{
			{1, 1, 4, 4}, {4, 2, 40, 40}, {3, 1, 64, 64}, {2, 2, 80, 80}, {2, 1, 128, 128}, {4, 1, 256, 256}, {2, 2, 24, 16}, {1, 1, 7, 5}, {2, 1, 12, 33},
		} {
			a := device.Attention{Heads: s.heads, KVHeads: s.kvHeads, HeadDim: s.dim, ValueDim: s.valueDim, Causal: true}
			add("stepping/", stepping, a)
			add("lone/", lone, a)
		}
		for name, set := range map[string]func(*device.Attention){
			"window=1": func(a *device.Attention) { a.Window = 1 }, "window=64": func(a *device.Attention) { a.Window = 64 },
			"chunk=50": func(a *device.Attention) { a.Chunk = 50 }, "cap=1.5": func(a *device.Attention) { a.SoftCap = 1.5 },
			"slopes": func(a *device.Attention) { a.Slopes = []float32{0.5, 0.25, 0.0625, 0.00390625} },
			"sinks":  func(a *device.Attention) { a.Sinks = []float32{0.5, -3, 4, 0} },
		} {
			a := device.Attention{Heads: 4, KVHeads: 2, HeadDim: 16, ValueDim: 16, Causal: true}
			set(&a)
			add(name+"/", stepping, a)
		}
	}
	for _, operation := range []string{"Attention", "AttentionFew"} {
		for _, dim := range []int{5, 40, 128} {
			a := device.Attention{Heads: 4, KVHeads: 2, HeadDim: dim, ValueDim: dim + 3, Causal: true, Scale: float32(1 / math.Sqrt(float64(dim)))}
			slid, cut := a, a
			slid.Window, slid.Slopes = 20, []float32{0.5, 0.25, 0.0625, 0.00390625}
			cut.Chunk, cut.Sinks = 20, []float32{0.5, -3, 4, 0}
			cases = append(cases, cacheCase(operation, "ring/window/", windowed, 2, slid), cacheCase(operation, "ring/chunk/", chunked, 2, cut))
		}
	}
	for _, s := range []struct{ heads, keyHeads, keyDim, valueDim int }{{2, 1, 4, 3}, {4, 2, 16, 16}, {3, 1, 8, 65}} {
		cases = append(cases, stateCase(s.heads, s.keyHeads, s.keyDim, s.valueDim))
	}
	large := cacheCase("AttentionFew", "", []continued{{0, 2047, 1, 0}}, 2,
		device.Attention{Heads: 8, KVHeads: 2, HeadDim: 128, ValueDim: 128, Scale: 0.088, Causal: true})
	large.large, large.bytes = true, 4*2*2048*2*128
	return append(cases, large)
}

// cacheCase mixes the new rows of some sequences over a cache, whose other rows hold no numbers. Joined, Attention gets the whole sequences
// without one, and AttentionFew a cache in which no prefix lies apart.
func cacheCase(operation, name string, of []continued, amplitude float64, a device.Attention) testCase {
	keys, longest := within(amplitude), 0
	for _, c := range of {
		longest = max(longest, c.length())
	}
	return testCase{
		operation: operation,
		name:      fmt.Sprintf("cache/%sheads=%d/kv=%d/dim=%d/value=%d", name, a.Heads, a.KVHeads, a.HeadDim, a.ValueDim),
		units:     len(of),
		prefixes:  true,
		prepare: func(r *rig, units []int) step {
			few, able := r.device.(device.FewRows)
			able = able && operation == "AttentionFew"
			whole := r.joined && operation == "Attention"
			layout := device.Layout{Start: []int32{0}}
			var rows, cached []int
			lay := func(unit, from, to int) int32 { // positions of a sequence, behind a row of nobody
				cached = append(cached, -1)
				for p := from; p < to; p++ {
					cached = append(cached, rowNumber(unit, 0, p))
				}
				return int32(len(cached) - (to - from))
			}
			for _, unit := range units {
				c, first := of[unit], 0
				if !whole {
					first = c.length() - c.rows
				}
				for p := first; p < c.length(); p++ {
					rows = append(rows, rowNumber(unit, 0, p))
				}
				layout.Start = append(layout.Start, int32(len(rows)))
				seam := max(c.prefix, c.gone)
				k := device.KeyRows{First: int32(c.gone), PrefixRows: int32(seam - c.gone), OwnRows: int32(c.length() - seam)}
				if r.joined {
					seam, k = 0, device.KeyRows{OwnRows: int32(c.length())}
				}
				k.Own = lay(unit, seam, c.length())
				k.Prefix = lay(unit, int(k.First), seam)
				layout.Keys = append(layout.Keys, k)
			}
			if whole {
				layout.Keys, cached = nil, rows
			}
			if len(units) == 0 {
				layout.Keys = nil
			}
			held := func(tensor string, cols int) device.Tensor {
				lines := make([][]float32, len(cached))
				for i, row := range cached {
					if row >= 0 {
						lines[i] = keys(tensor, row, cols)
						continue
					}
					lines[i] = make([]float32, cols)
					for j := range lines[i] {
						lines[i][j] = float32(math.NaN())
					}
				}
				return r.tensor(lines, cols)
			}
			q := r.tensor(keys.rows("q", rows, a.Heads*a.HeadDim), a.Heads*a.HeadDim)
			k, v := held("k", a.KVHeads*a.HeadDim), held("v", a.KVHeads*a.ValueDim)
			dst := r.output(len(rows), a.Heads*a.ValueDim)
			call := func() {
				if able {
					few.AttentionFew(dst, q, k, v, a, &layout)
				} else {
					r.device.Attention(dst, q, k, v, a, &layout)
				}
			}
			return step{call, func() [][]float64 {
				out, lines := make([][]float64, len(units)), r.lines(dst)
				for i, unit := range units {
					end := int(layout.Start[i+1])
					for row := end - of[unit].rows; row < end; row++ {
						out[i] = append(out[i], lines[row]...)
					}
				}
				return out
			}}
		},
		// values are within ±amplitude here, not within ±1
		tolerance: func(p precision, unit, j int, want float64) float64 {
			return amplitude * attentionTolerance(a, amplitude, longest)(p, unit, j, want)
		},
	}
}

// stateCase is a delta rule in two parts, of which the second goes on from the state that the first leaves; joined, in one part without a state.
func stateCase(heads, keyHeads, keyDim, valueDim int) testCase {
	lengths := [][2]int{{1, 1}, {5, 1}, {17, 4}, {0, 3}, {64, 1}}
	unit, decay, strength := deltaFillings(keyDim)
	return testCase{
		operation: "DeltaRule",
		name:      fmt.Sprintf("state/heads=%d/keyheads=%d/key=%d/value=%d", heads, keyHeads, keyDim, valueDim),
		units:     len(lengths),
		prefixes:  true,
		prepare: func(r *rig, units []int) step {
			type part struct {
				rule   device.DeltaRule
				layout device.Layout
				dst    device.Tensor
			}
			var state device.Tensor
			width := heads * keyDim * valueDim
			if !r.joined {
				lines := make([][]float32, len(units))
				for i := range lines {
					lines[i] = make([]float32, width)
				}
				state = r.tensor(lines, width)
			}
			lay := func(from, to func(lengths [2]int) int) part {
				p := part{layout: device.Layout{Start: []int32{0}}}
				var rows []int
				for _, u := range units {
					for position := from(lengths[u]); position < to(lengths[u]); position++ {
						rows = append(rows, rowNumber(u, 0, position))
					}
					p.layout.Start = append(p.layout.Start, int32(len(rows)))
				}
				tensor := func(name string, f filling, cols int) device.Tensor { return r.tensor(f.rows(name, rows, cols), cols) }
				p.rule = device.DeltaRule{
					Q: tensor("q", unit, keyHeads*keyDim), K: tensor("k", unit, keyHeads*keyDim), V: tensor("v", uniform, heads*valueDim),
					Gate: tensor("gate", decay, heads), Beta: tensor("beta", strength, heads), State: state,
					Heads: heads, KeyHeads: keyHeads, KeyDim: keyDim, ValueDim: valueDim,
				}
				p.dst = r.output(len(rows), heads*valueDim)
				return p
			}
			begin, middle, end := func([2]int) int { return 0 }, func(n [2]int) int { return n[0] }, func(n [2]int) int { return n[0] + n[1] }
			parts := []part{lay(begin, end)}
			if !r.joined {
				parts = []part{lay(begin, middle), lay(middle, end)}
			}
			return step{func() {
				for _, p := range parts {
					r.device.DeltaRule(p.dst, p.rule, &p.layout)
				}
			}, func() [][]float64 {
				out := make([][]float64, len(units))
				for _, p := range parts {
					lines := r.lines(p.dst)
					for i := range units {
						for row := p.layout.Start[i]; row < p.layout.Start[i+1]; row++ {
							out[i] = append(out[i], lines[row]...)
						}
					}
				}
				return out
			}}
		},
		tolerance: deltaTolerance(keyDim, 65),
	}
}
