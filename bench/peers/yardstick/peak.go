package yardstick

import (
	"sync"
	"time"

	"avssnative/kernels/cpu"
)

// slice is how long one attempt at the peak takes, at least.
const slice = 40 * time.Millisecond

// A Peak is the most operations a second that products reach which never leave the registers.
type Peak struct {
	Clock  float64 // of all threads together, by the clock: less where other programs run
	Thread float64 // of one thread, by the processor time it used, while the others work too; 0 where that time is not known
}

// MeasurePeak runs the given number of threads at the same time and takes the best of some attempts. bf16 asks for products of bfloat16, which
// are the float32 ones where the instruction set has none.
func MeasurePeak(k *cpu.Kernels, threads int, bf16 bool, attempts int) Peak {
	jobs, best := int64(1), Peak{}
	for done := 0; done < attempts; {
		flops, took, used := burst(k, threads, bf16, jobs)
		if took < slice && jobs < 1<<30 { // too short to trust
			jobs *= 2
			continue
		}
		best.Clock = max(best.Clock, flops/took.Seconds())
		if used > 0 {
			best.Thread = max(best.Thread, flops/used.Seconds())
		}
		done++
	}
	return best
}

// burst lets every thread do jobs jobs.
func burst(k *cpu.Kernels, threads int, bf16 bool, jobs int64) (flops float64, took, used time.Duration) {
	work := make([]cpu.PeakArguments, threads)
	var all sync.WaitGroup
	begin, before := time.Now(), ProcessorTime()
	for i := range work {
		if bf16 {
			work[i].BF16 = 1
		}
		all.Go(func() { k.Run(cpu.Peak, &work[i], 0, jobs, nil) })
	}
	all.Wait()
	took, used = time.Since(begin), ProcessorTime()-before
	for i := range work {
		flops += float64(work[i].Flops) * float64(jobs)
	}
	return flops, took, used
}
