package devicetest

import (
	"fmt"

	"avssnative/engine/device"
)

func moveCases() []testCase {
	var cases []testCase
	for _, cols := range []int{1, 3, 16, 65, 512} {
		cases = append(cases, gatherCase(29, cols), scatterCase(29, cols, false), scatterCase(29, cols, true))
	}
	cases = append(cases,
		columnsCase("none", 5, 5, nil),
		columnsCase("whole", 16, 16, []device.Move{{From: 0, To: 0, Count: 16}}),
		columnsCase("swap", 70, 70, []device.Move{{From: 0, To: 37, Count: 33}, {From: 33, To: 0, Count: 37}}),
		columnsCase("repeat", 3, 20, []device.Move{{From: 2, To: 0, Count: 1}, {From: 2, To: 19, Count: 1}, {From: 0, To: 7, Count: 3},
			{From: 1, To: 4, Count: 0}}),
	)
	large := gatherCase(2048, 1024)
	large.large = true
	return append(cases, large)
}

func gatherCase(rows, cols int) testCase {
	const pool = 12
	return testCase{
		operation: "Gather",
		name:      fmt.Sprintf("rows=%d/cols=%d", rows, cols),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			all := make([]int, pool)
			for i := range all {
				all[i] = i
			}
			indices := make([]int32, len(units))
			for i, unit := range units {
				indices[i] = int32((unit*5 + pool - 1) % pool)
			}
			src, dst := r.tensor(extreme.rows("src", all, cols), cols), r.output(len(units), cols)
			return step{func() { r.device.Gather(dst, src, indices) }, func() [][]float64 { return r.lines(dst) }}
		},
		tolerance: exact,
		bytes:     8 * float64(rows) * float64(cols),
	}
}

// scatterCase adds to each unit's row several others, in the order in which they come.
func scatterCase(rows, cols int, weighted bool) testCase {
	const most = 4
	return testCase{
		operation: "Scatter",
		name:      fmt.Sprintf("rows=%d/cols=%d/weighted=%t", rows, cols, weighted),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			var numbers []int
			var targets []int32
			var weights []float32
			for turn := range most {
				for i, unit := range units {
					if turn < unit%(most+1) {
						numbers, targets = append(numbers, unit*most+turn), append(targets, int32(i))
						weights = append(weights, uniform("weights", unit*most+turn, 1)[0])
					}
				}
			}
			if !weighted {
				weights = nil
			} else if weights == nil {
				weights = []float32{}
			}
			src, dst := r.tensor(uniform.rows("src", numbers, cols), cols), r.tensor(uniform.rows("dst", units, cols), cols)
			return step{func() { r.device.Scatter(dst, src, targets, weights) }, func() [][]float64 { return r.lines(dst) }}
		},
		tolerance: func(precision, int, int, float64) float64 { return sum(most+1) * (most + 1) },
	}
}

func columnsCase(name string, from, to int, moves []device.Move) testCase {
	const rows = 9
	return testCase{
		operation: "Columns",
		name:      fmt.Sprintf("%s/from=%d/to=%d", name, from, to),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			src, dst := r.tensor(extreme.rows("src", units, from), from), r.tensor(uniform.rows("dst", units, to), to)
			return step{func() { r.device.Columns(dst, src, moves) }, func() [][]float64 { return r.lines(dst) }}
		},
		tolerance: exact,
		bytes:     8 * rows * float64(to),
	}
}
