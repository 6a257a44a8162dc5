package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"avssnative/avss"
)

func TestFigures(t *testing.T) {
	for want, got := range map[string]string{
		"0.698 ± 0.021": Figure{0.6984, 0.0205}.String(), "1": Figure{1, 0}.String(), "12.0 ± 1.3": Figure{12.04, 1.3}.String(),
		"8263 ± 120": Figure{8263.2, 120}.String(), "∞": Figure{avss.Value(math.Inf(1)), 1}.String(),
		"0, 1, 5": layers([]int{0, 1, 5}), "0–2, 9": layers([]int{0, 1, 2, 9}), "12–15": layers([]int{12, 13, 14, 15}), "": layers(nil),
		"3.22 M": count(3220000), "999": count(999), "1.5 KiB": size(1536), "12 B": size(12), "20,000": grouped(20000), "1,234,567": grouped(1234567),
		"–": Percent(avss.Value(math.NaN())), "25.0 %": ratio(1, 4).shown(), "< 0.001": Probability(1e-4).shown(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, c := range []struct{ values, want string }{{"[118.4 0.1556 5.445]", "[118.400 0.156 5.445]"}, {"[274.8 106]", "[274.8 106.0]"},
		{"[1e9 2.5e9]", "[1.00e+09 2.50e+09]"}, {"[0 0]", "[0.00 0.00]"}} {
		var values []float64
		for _, word := range strings.Fields(strings.Trim(c.values, "[]")) {
			var v float64
			fmt.Sscan(word, &v)
			values = append(values, v)
		}
		if got := fmt.Sprint(texts(aligned(values))); got != c.want {
			t.Errorf("%s: %s, want %s", c.values, got, c.want)
		}
	}
	if got := texts(aligned([]float64{math.NaN(), math.Inf(1), 2})); got[0] != "–" || got[1] != "∞" {
		t.Errorf("%q", got)
	}
}

// texts are cells as a person reads them.
func texts(cells []Cell) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = c.shown()
	}
	return out
}
