package avss

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// anyFloat draws from all finite float64, subnormal and extreme ones as often as the rest.
func anyFloat() *rapid.Generator[float64] {
	return rapid.Custom(func(t *rapid.T) float64 {
		if rapid.Bool().Draw(t, "plain") {
			return rapid.Float64Range(-1e6, 1e6).Draw(t, "value")
		}
		v := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 1
		}
		return v
	})
}

// exactly is the slow twin of Sum.
func exactly(terms []float64) *big.Rat {
	sum := new(big.Rat)
	for _, v := range terms {
		sum.Add(sum, new(big.Rat).SetFloat64(v))
	}
	return sum
}

func bytesOf(s *Sum) []byte {
	var w writer
	s.write(&w)
	return w.data
}

func TestSumIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := rapid.SliceOfN(anyFloat(), 0, 40).Draw(t, "terms")
		var s Sum
		for i, v := range terms {
			s.Add(v)
			if i%7 == 3 {
				s.carry()
			}
		}
		want := exactly(terms)
		if s.Rat().Cmp(want) != 0 {
			t.Fatalf("sum %v, want %v", s.Rat(), want)
		}
		rounded, _ := want.Float64()
		if got := s.Float64(); got != rounded {
			t.Fatalf("rounded %v, want %v", got, rounded)
		}
	})
}

func TestSumMergesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := rapid.SliceOfN(anyFloat(), 1, 40).Draw(t, "terms")
		shards := rapid.IntRange(1, 6).Draw(t, "shards")
		var whole, joined Sum
		parts := make([]Sum, shards)
		for _, v := range terms {
			whole.Add(v)
			parts[rapid.IntRange(0, shards-1).Draw(t, "shard")].Add(v)
		}
		for _, i := range rapid.Permutation(all(shards)).Draw(t, "order") {
			before := bytesOf(&parts[i])
			joined.Merge(&parts[i])
			if !bytes.Equal(before, bytesOf(&parts[i])) {
				t.Fatal("merging changed what was merged")
			}
		}
		if !bytes.Equal(bytesOf(&whole), bytesOf(&joined)) {
			t.Fatalf("merged %x, want %x", bytesOf(&joined), bytesOf(&whole))
		}
		var back Sum
		r := &reader{data: bytesOf(&whole)}
		back.read(r)
		if err := r.end("sum"); err != nil {
			t.Fatal(err)
		}
		back.Add(terms[0])
		whole.Add(terms[0])
		if back.Rat().Cmp(whole.Rat()) != 0 {
			t.Fatalf("read back %v, want %v", back.Rat(), whole.Rat())
		}
	})
}

func TestSumMergesWithItself(t *testing.T) {
	var s Sum
	for _, v := range []float64{1.5, -1e300, 3e-320} {
		s.Add(v)
	}
	want := exactly([]float64{3, -2e300, 6e-320})
	s.Merge(&s)
	if s.Rat().Cmp(want) != 0 {
		t.Fatalf("twice the sum is %v, want %v", s.Float64(), want)
	}
}

func TestSumCarries(t *testing.T) {
	// The most that digits hold before a carry is due, of the largest mantissas, of both signs.
	for _, v := range []float64{math.Nextafter(2, 0), -math.Nextafter(2, 0)} {
		var s Sum
		s.Add(v)
		for i := range s.digits {
			s.digits[i] *= maxPending - 1
		}
		s.pending = maxPending - 1
		s.Add(v)
		want := new(big.Rat).Mul(new(big.Rat).SetFloat64(v), big.NewRat(maxPending, 1))
		if s.pending != 0 || s.Rat().Cmp(want) != 0 {
			t.Fatalf("%d times %v is %v, want %v", maxPending, v, s.Float64(), want)
		}
	}
}

func TestSumOfWhatIsNoNumber(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		terms []float64
		want  float64
	}{
		{[]float64{1, inf}, inf}, {[]float64{-inf, 2}, -inf}, {[]float64{inf, -inf}, math.NaN()}, {[]float64{math.NaN(), 1}, math.NaN()},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, inf}, {[]float64{0, math.Copysign(0, -1)}, 0}, {nil, 0},
	} {
		var s, merged Sum
		for _, v := range c.terms {
			s.Add(v)
		}
		merged.Merge(&s)
		for _, got := range []float64{s.Float64(), merged.Float64()} {
			if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("%v: %v, want %v", c.terms, got, c.want)
			}
		}
	}
}

func BenchmarkSumAdd(b *testing.B) {
	var s Sum
	for i := range b.N {
		s.Add(float64(i) * 1.1)
	}
}
