package engine_test

import (
	"strconv"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
)

// BenchmarkDecode is a step of generation of 1, 4 and 16 sequences behind prompts of 64 tokens, dense and without a quarter of the layers: tokens a
// second of all together, and the bytes of keys and values that a token takes.
//
//	go test -run '^$' -bench Decode -count 6 ./engine | tee new.txt && go tool benchstat new.txt
func BenchmarkDecode(b *testing.B) {
	for _, stored := range []string{"F32", "BF16"} {
		b.Run("weights="+stored, func(b *testing.B) {
			shape, folder := benchmarkShape(), b.TempDir()
			if err := shape.Write(b.Context(), folder, stored); err != nil {
				b.Fatal(err)
			}
			m, err := engine.Open(b.Context(), folder, engine.Options{Device: "cpu", Options: device.Options{Compute: device.ComputeF32}})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			quarter := engine.Layers(sequenceOf(m.Layers() / 4)...)
			for name, drop := range map[string]engine.Drop{"dense": nil, "pruned": quarter} {
				for _, sequences := range []int{1, 4, 16} {
					b.Run("model="+name+"/sequences="+strconv.Itoa(sequences), func(b *testing.B) { decodeSteps(b, m, drop, shape.IDs(sequences, 64)) })
				}
			}
		})
	}
}

// sequenceOf lists 1 to n.
func sequenceOf(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// decodeSteps measures steps behind prompts.
func decodeSteps(b *testing.B, m *engine.Model, drop engine.Drop, ids [][]int32) {
	const length = 1024
	d, err := m.NewDecoder(engine.DecoderOptions{Variants: []engine.Drop{drop}, Slots: len(ids), Length: length})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	var prompts []engine.Prompt
	for slot := range ids {
		prompts = append(prompts, engine.Prompt{Slot: slot, IDs: ids[slot]})
	}
	prompt := len(ids[0])
	steps := length - prompt
	at := steps
	for b.Loop() {
		if at == steps {
			b.StopTimer()
			if _, err := d.Start(b.Context(), prompts); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			at = 0
		}
		var next []engine.Continuation
		for slot := range ids {
			next = append(next, engine.Continuation{Slot: slot, IDs: ids[slot][at%prompt:][:1]})
		}
		if _, err := d.Continue(b.Context(), next); err != nil {
			b.Fatal(err)
		}
		at++
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(len(ids))/seconds, "tokens/s")
	b.ReportMetric(float64(m.CacheBytes(drop, 1, 4)), "cache-B/token")
}
