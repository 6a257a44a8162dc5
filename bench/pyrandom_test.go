package bench

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Python 3.11 prints: r = random.Random(1234); [r.sample(range(n), k) for n, k in …].
func TestSamplesArePythons(t *testing.T) {
	for _, c := range []struct {
		seed  uint32
		draws [][2]int
		want  [][]int
	}{
		{1234, [][2]int{{10, 3}, {30, 5}, {1000, 5}, {90, 8}, {84, 8}, {5, 5}}, [][]int{{7, 1, 0}, {2, 29, 25, 18, 1}, {687, 709, 85, 100, 784},
			{45, 30, 2, 3, 44, 82, 79, 61}, {78, 59, 19, 11, 23, 14, 1, 64}, {3, 1, 0, 4, 2}}},
		{0, [][2]int{{7, 2}, {1 << 20, 3}}, [][]int{{6, 3}, {882002, 84901, 542987}}},
	} {
		r := newPyRandom(c.seed)
		for i, d := range c.draws {
			if diff := cmp.Diff(c.want[i], r.sample(d[0], d[1])); diff != "" {
				t.Errorf("seed %d, %d of %d: %s", c.seed, d[1], d[0], diff)
			}
		}
	}
}
