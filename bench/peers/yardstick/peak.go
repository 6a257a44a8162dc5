package yardstick

import (
	"sync"
	"time"

	"avssnative/kernels/cpu"
)

// slice is how long one attempt at the peak takes, at least.
const slice = 40 * time.Millisecond

// Peak is the most operations a second that the given number of threads reach together in products that never leave the registers: the best
// of the attempts. bf16 asks for products of bfloat16 where the instruction set has them.
func Peak(k *cpu.Kernels, threads int, bf16 bool, attempts int) float64 {
	jobs, best := int64(1), 0.0
	for done := 0; done < attempts; {
		flops, took := burst(k, threads, bf16, jobs)
		if took < slice && jobs < 1<<30 { // too short to trust
			jobs *= 2
			continue
		}
		best = max(best, flops/took.Seconds())
		done++
	}
	return best
}

// burst lets every thread do jobs jobs at the same time.
func burst(k *cpu.Kernels, threads int, bf16 bool, jobs int64) (flops float64, took time.Duration) {
	work := make([]cpu.PeakArguments, threads)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range work {
		if bf16 {
			work[i].BF16 = 1
		}
		all.Go(func() { k.Run(cpu.Peak, &work[i], 0, jobs, nil) })
	}
	all.Wait()
	took = time.Since(begin)
	for i := range work {
		flops += float64(work[i].Flops) * float64(jobs)
	}
	return flops, took
}
