package prune

import (
	"math"
	"math/rand/v2"
	"testing"

	"avssnative/engine/device"
	"avssnative/engine/weights"

	"gonum.org/v1/gonum/mat"
)

// correlated are the sums Σ x xᵀ of inputs that depend on each other, as those of trained models do.
func correlated(r *rand.Rand, n int) *mat.SymDense {
	sums := mat.NewSymDense(n, nil)
	mix := mat.NewDense(n, n/4, nil)
	for i := range n {
		for k := range n / 4 {
			mix.Set(i, k, r.NormFloat64())
		}
	}
	x, hidden := mat.NewVecDense(n, nil), mat.NewVecDense(n/4, nil)
	for range 4 * n {
		for k := range n / 4 {
			hidden.SetVec(k, r.NormFloat64())
		}
		x.MulVec(mix, hidden)
		for i := range n {
			x.SetVec(i, x.AtVec(i)+0.3*r.NormFloat64())
		}
		sums.SymRankOne(sums, 1, x)
	}
	return sums
}

// The feedback's square is the inverse that it is defined by.
func TestFeedback(t *testing.T) {
	h := correlated(rand.New(rand.NewPCG(3, 4)), 48)
	u, err := feedback(h)
	if err != nil {
		t.Fatal(err)
	}
	var inverse, product mat.Dense
	inverse.Mul(u.T(), u)
	product.Mul(&inverse, h)
	for i := range 48 {
		for j := range 48 {
			want := 0.0
			if i == j {
				want = 1
			}
			if got := product.At(i, j); math.Abs(got-want) > 1e-6 {
				t.Fatalf("UᵀU·H at %d, %d is %g, want %g", i, j, got, want)
			}
			if j < i && u.At(i, j) != 0 {
				t.Fatalf("U has %g below its diagonal", u.At(i, j))
			}
		}
	}
}

// Rounding with feedback loses less of what the layer says than the nearest values do, in every type, and where inputs are independent as much.
func TestRoundRows(t *testing.T) {
	const out, in = 24, 512
	r := rand.New(rand.NewPCG(5, 6))
	h := correlated(r, in)
	diagonal := mat.NewSymDense(in, nil)
	for i := range in {
		diagonal.SetSym(i, i, 1+float64(i%3))
	}
	weight := make([]float32, out*in)
	for i := range weight {
		weight[i] = float32(r.NormFloat64())
	}
	for _, kind := range []device.DType{device.Q4_0, device.Q4_1, device.Q5_0, device.Q5_1, device.Q8_0, device.Q2_K, device.Q3_K, device.Q4_K, device.Q5_K, device.Q6_K} {
		if !weights.HasCodes(kind) {
			t.Fatalf("%s has codes", kind)
		}
		lost := func(rows []byte, h *mat.SymDense) float64 {
			said, err := weights.Decode(weights.Stored{Name: "w", Type: kind, Shape: []int{out, in}, Data: rows}, 0, out*in)
			if err != nil {
				t.Fatal(err)
			}
			off := mat.NewDense(out, in, nil)
			for i := range said {
				off.RawMatrix().Data[i] = float64(said[i]) - float64(weight[i])
			}
			var through mat.Dense
			through.Mul(off, h)
			through.MulElem(&through, off)
			return mat.Sum(&through)
		}
		nearest, err := weights.Encode(kind, weight)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := roundRows(weight, out, in, kind, h)
		if err != nil {
			t.Fatal(err)
		}
		if with, without := lost(rows, h), lost(nearest, h); !(with < 0.7*without) {
			t.Errorf("%s: feedback leaves %.4g, the nearest values %.4g", kind, with, without)
		}
		if rows, err = roundRows(weight, out, in, kind, diagonal); err != nil {
			t.Fatal(err)
		}
		if with, without := lost(rows, diagonal), lost(nearest, diagonal); math.Abs(with/without-1) > 5e-3 {
			t.Errorf("%s: independent inputs: feedback leaves %.6g, the nearest values %.6g", kind, with, without)
		}
	}
	if _, err := roundRows(make([]float32, 40), 1, 40, device.Q4_1, mat.NewSymDense(40, nil)); err == nil {
		t.Error("40 values in blocks of 32")
	}
}
