package avss

// An exact sum of float64 numbers, so that sums do not depend on the order of their terms: fixed-point over the whole range of float64, of
// which only the digits in use are kept. After U. Kulisch, "Computer Arithmetic and Validity", 2nd edition, 2013, chapter 8.

import (
	"fmt"
	"math"
	"math/big"
	"slices"
)

const (
	digitBits = 32
	digitMask = 1<<digitBits - 1
	unitBits  = 1074 // the smallest float64 is 2^−1074, the unit of the lowest digit
	maxDigits = (unitBits+1024)/digitBits + 3
	// Between carries a digit may take this many terms below 2^32 without passing 2^63.
	maxPending = 1 << 30
)

// Sum is a sum of float64 numbers without rounding. Its zero value is zero. NaN and infinite terms are counted and decide the result. At
// most 2^63 terms fit.
type Sum struct {
	digits  []int64 // digits[i] weighs 2^(32·(base+i) − 1074); any sign
	base    int32
	pending int32    // additions since the digits were last brought below 2^32
	special *special // nil: every term was finite
}

type special struct{ nan, positive, negative int64 }

// Add adds one number.
func (s *Sum) Add(v float64) {
	bits := math.Float64bits(v)
	exponent := int(bits >> 52 & 0x7ff)
	mantissa := bits & (1<<52 - 1)
	switch {
	case exponent == 0x7ff:
		s.addSpecial(v)
		return
	case exponent > 0:
		mantissa |= 1 << 52
		exponent--
	case mantissa == 0:
		return
	}
	at, shift := exponent/digitBits, uint(exponent%digitBits)
	low, high := mantissa<<shift, mantissa>>(64-shift)
	i := s.window(at, at+3)
	d := s.digits[i : i+3]
	if bits>>63 == 0 {
		d[0] += int64(low & digitMask)
		d[1] += int64(low >> digitBits)
		d[2] += int64(high)
	} else {
		d[0] -= int64(low & digitMask)
		d[1] -= int64(low >> digitBits)
		d[2] -= int64(high)
	}
	if s.pending++; s.pending >= maxPending {
		s.carry()
	}
}

func (s *Sum) addSpecial(v float64) {
	if s.special == nil {
		s.special = &special{}
	}
	switch {
	case math.IsNaN(v):
		s.special.nan++
	case v > 0:
		s.special.positive++
	default:
		s.special.negative++
	}
}

// Merge adds another sum, which it leaves as it is.
func (s *Sum) Merge(o *Sum) {
	if o.special != nil {
		if s.special == nil {
			s.special = &special{}
		}
		s.special.nan += o.special.nan
		s.special.positive += o.special.positive
		s.special.negative += o.special.negative
	}
	if len(o.digits) == 0 {
		return
	}
	s.carry() // s may be o
	digits, base := o.digits, int(o.base)
	i := s.window(base, base+len(digits))
	for j, d := range digits {
		s.digits[i+j] += d
	}
	s.pending = maxPending
	s.carry()
}

// window makes room for the digits from first to before end and returns the index of the first.
func (s *Sum) window(first, end int) int {
	if len(s.digits) == 0 {
		s.digits, s.base = make([]int64, end-first), int32(first)
		return 0
	}
	if before := int(s.base) - first; before > 0 {
		s.digits = append(make([]int64, before, before+len(s.digits)), s.digits...)
		s.base = int32(first)
	}
	if after := end - int(s.base) - len(s.digits); after > 0 {
		s.digits = append(s.digits, make([]int64, after)...)
	}
	return first - int(s.base)
}

// carry brings every digit but the last into [0, 2^32) and the last into (−2^32, 2^32); the last one has the sign of the sum.
func (s *Sum) carry() {
	if s.pending == 0 {
		return
	}
	s.pending = 0
	s.digits = carry(s.digits)
}

func carry(digits []int64) []int64 {
	for i := 0; i < len(digits); i++ {
		d := digits[i]
		if i == len(digits)-1 {
			if -1<<digitBits < d && d < 1<<digitBits {
				break
			}
			digits = append(digits, 0)
		}
		digits[i] = d & digitMask
		digits[i+1] += d >> digitBits
	}
	return digits
}

// canonical returns the one representation of the sum's finite part: sign, magnitude in digits of 32 bits without zeros at either end, and
// the place of the lowest.
func (s *Sum) canonical() (negative bool, base int, digits []uint32) {
	work := carry(slices.Clone(s.digits))
	if len(work) > 0 && work[len(work)-1] < 0 {
		negative = true
		for i := range work {
			work[i] = -work[i]
		}
		work = carry(work)
	}
	first, end := 0, len(work)
	for end > 0 && work[end-1] == 0 {
		end--
	}
	for first < end && work[first] == 0 {
		first++
	}
	if first == end {
		return false, 0, nil
	}
	for _, d := range work[first:end] {
		digits = append(digits, uint32(d))
	}
	return negative, int(s.base) + first, digits
}

// Rat is the finite part of the sum as a fraction, exactly.
func (s *Sum) Rat() *big.Rat {
	negative, base, digits := s.canonical()
	whole := new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		whole.Lsh(whole, digitBits)
		whole.Or(whole, new(big.Int).SetUint64(uint64(digits[i])))
	}
	if negative {
		whole.Neg(whole)
	}
	shift := base*digitBits - unitBits
	if shift >= 0 {
		return new(big.Rat).SetInt(whole.Lsh(whole, uint(shift)))
	}
	return new(big.Rat).SetFrac(whole, new(big.Int).Lsh(big.NewInt(1), uint(-shift)))
}

// Float64 is the sum rounded once, to nearest even. It is infinite beyond the range of float64 or where an infinite term says so, NaN
// where a term was NaN or infinities of both signs were added.
func (s *Sum) Float64() float64 {
	if p := s.special; p != nil {
		switch {
		case p.nan > 0 || p.positive > 0 && p.negative > 0:
			return math.NaN()
		case p.positive > 0:
			return math.Inf(1)
		default:
			return math.Inf(-1)
		}
	}
	v, _ := s.Rat().Float64()
	return v
}

// Finite says whether every term was finite.
func (s *Sum) Finite() bool { return s.special == nil }

func (s *Sum) write(w *writer) {
	negative, base, digits := s.canonical()
	flags := uint64(len(digits)) << 2
	if s.special != nil {
		flags |= 1
	}
	if negative {
		flags |= 2
	}
	w.uvarint(flags)
	if p := s.special; p != nil {
		w.count(p.nan)
		w.count(p.positive)
		w.count(p.negative)
	}
	if len(digits) > 0 {
		w.uvarint(uint64(base))
	}
	for _, d := range digits {
		w.uint32(d)
	}
}

func (s *Sum) read(r *reader) {
	*s = Sum{}
	flags := r.uvarint()
	if flags&1 != 0 {
		s.special = &special{r.count(), r.count(), r.count()}
		if *s.special == (special{}) {
			r.fail("a sum's counts of special terms are all zero")
		}
	}
	count := flags >> 2
	if count == 0 {
		if flags&2 != 0 {
			r.fail("a sum of no digits is negative")
		}
		return
	}
	base := r.uvarint()
	if count > maxDigits || base > maxDigits || base+count > maxDigits {
		r.fail(fmt.Sprintf("a sum has %d digits from place %d, at most %d places exist", count, base, maxDigits))
		return
	}
	s.base = int32(base)
	s.digits = make([]int64, count)
	for i := range s.digits {
		s.digits[i] = int64(r.uint32())
	}
	if r.err == nil && (s.digits[0] == 0 || s.digits[count-1] == 0) {
		r.fail("a sum begins or ends with a zero digit")
	}
	if flags&2 != 0 {
		for i := range s.digits {
			s.digits[i] = -s.digits[i]
		}
	}
}
