package avss

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"avssnative/failure"
)

// savedStates are one of each metric, whole and from the middle of a pass.
func savedStates(t testing.TB) map[string][][]byte {
	sequences := randomSequences(11, 3, 2)
	done, middle := everyMetric(0), everyMetric(0)
	if err := walk(sequences, done...); err != nil {
		t.Fatal(err)
	}
	sequences[1].act[0][0][0] /= 0
	if err := walkLayer(sequences, 0, middle...); err != nil {
		t.Fatal(err)
	}
	out := map[string][][]byte{}
	for k, m := range done {
		for _, state := range []Metric{m, middle[k], everyMetric(0)[k]} {
			data, err := state.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			out[m.Name()] = append(out[m.Name()], data)
		}
	}
	return out
}

func TestTruncatedStatesAreRefused(t *testing.T) {
	for name, states := range savedStates(t) {
		for _, data := range states {
			m := newMetric(t, name)
			if err := m.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			for end := range len(data) {
				err := m.UnmarshalBinary(data[:end])
				if !errors.Is(err, failure.Corrupt) || !strings.HasPrefix(err.Error(), "avss: "+name+": saved state: ") {
					t.Fatalf("%s cut to %d of %d bytes: %v", name, end, len(data), err)
				}
			}
			if err := m.UnmarshalBinary(append(bytes.Clone(data), 0)); err == nil || !strings.Contains(err.Error(), "1 bytes too many") {
				t.Errorf("%s with a byte more: %v", name, err)
			}
			if back := marshal(t, m); !bytes.Equal(back, data) {
				t.Errorf("%s: refusals changed the state", name)
			}
		}
	}
}

func TestDamagedStatesAreRefused(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, states := range savedStates(t) {
		for range 200 {
			data := bytes.Clone(states[0])
			data[random.IntN(len(data))] ^= 1 << random.IntN(8)
			if _, err := Load(data, Options{}); err == nil {
				t.Fatalf("%s: a flipped bit was not noticed", name)
			}
		}
	}
	states := savedStates(t)
	if err := newMetric(t, "bi").UnmarshalBinary(states["l2"][0]); err == nil || !strings.Contains(err.Error(), `of the metric "l2"`) {
		t.Errorf("bi took the state of l2: %v", err)
	}
	newer := reseal(append([]byte(stateMagic), 9), nil)
	if _, err := Load(newer, Options{}); err == nil || !strings.Contains(err.Error(), "version 9, this program reads 1") {
		t.Errorf("a newer state: %v", err)
	}
}

// reseal appends a payload and a checksum that fits.
func reseal(head, payload []byte) []byte {
	data := append(bytes.Clone(head), payload...)
	return binary.LittleEndian.AppendUint64(data, crc64.Checksum(data, stateTable))
}

// Numbers that lie about what follows, with a checksum that fits: refused, and without memory beyond what the file justifies.
func TestLyingStatesTakeNoMemory(t *testing.T) {
	var huge writer
	huge.uvarint(1 << 62)
	many := writer{}
	many.uvarint(maxLayers)
	many.data = append(many.data, make([]byte, maxLayers)...)
	for name := range savedStates(t) {
		for _, start := range [][]byte{{}, {1, 1, 0}, {1, 1, 0, 1, 0}, {1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 255, 255, 255, 255, 1}, many.data} {
			payload := append(bytes.Clone(start), huge.data...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := newMetric(t, name).UnmarshalBinary(Seal(name, payload))
			runtime.ReadMemStats(&after)
			if !errors.Is(err, failure.Corrupt) {
				t.Errorf("%s: %x: %v", name, payload[:min(20, len(payload))], err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<16+400*uint64(len(payload)) {
				t.Errorf("%s: %d bytes of state took %d bytes", name, len(payload), took)
			}
		}
	}
}

// FuzzState reads any payload behind a good head: an error or a state that is saved as the same bytes, and that merges and scores without
// a panic.
func FuzzState(f *testing.F) {
	names := []string{"angular", "avss", "bi", "l2", "relmag"}
	states := savedStates(f)
	for i, name := range names {
		for _, data := range states[name] {
			payload, err := Unseal(name, data)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), payload)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, payload []byte) {
		name := names[int(which)%len(names)]
		data := Seal(name, payload)
		m, err := Load(data, testOptions(0))
		if err != nil {
			if !errors.Is(err, failure.Corrupt) {
				t.Fatal(err)
			}
			return
		}
		if back := marshal(t, m); !bytes.Equal(back, data) {
			t.Fatalf("read %x, saved %x", payload, back)
		}
		if s, err := m.Scores(); err == nil && len(s.Values) == 0 {
			t.Fatal("scores of no layer")
		}
		other := newMetric(t, name)
		if err := walk(randomSequences(11, 2, 2), other); err != nil {
			t.Fatal(err)
		}
		_ = m.Merge(other)
	})
}
