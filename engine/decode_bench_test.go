package engine_test

import (
	"strconv"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
)

// BenchmarkDecode is a step of generation of 1, 4 and 16 sequences behind prompts of 64 tokens: tokens a second of all together.
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
			for _, sequences := range []int{1, 4, 16} {
				b.Run("sequences="+strconv.Itoa(sequences), func(b *testing.B) {
					const prompt, length = 64, 1024
					d, err := m.NewDecoder(engine.DecoderOptions{Slots: sequences, Length: length})
					if err != nil {
						b.Fatal(err)
					}
					defer d.Close()
					var prompts []engine.Prompt
					for slot, ids := range shape.IDs(sequences, prompt) {
						prompts = append(prompts, engine.Prompt{Slot: slot, IDs: ids})
					}
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
						for slot := range sequences {
							next = append(next, engine.Continuation{Slot: slot, IDs: prompts[slot].IDs[at%prompt:][:1]})
						}
						if _, err := d.Continue(b.Context(), next); err != nil {
							b.Fatal(err)
						}
						at++
					}
					seconds := b.Elapsed().Seconds() / float64(b.N)
					b.ReportMetric(float64(sequences)/seconds, "tokens/s")
				})
			}
		})
	}
}
