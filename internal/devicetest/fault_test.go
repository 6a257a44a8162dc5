package devicetest

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"avssnative/engine/device"
)

// The net is only as good as what it catches. Each fault here is a "reference" that does one thing wrong; the table must find out.

// caught says whether some case of an operation fails on a device; the cheapest are asked first.
func caught(device, reference device.Device, operation string) bool {
	for _, c := range cheapestFirst() {
		if c.operation == operation && len(check(device, reference, c)) > 0 {
			return true
		}
	}
	return false
}

var cheapestFirst = sync.OnceValue(func() []testCase {
	cases := slices.DeleteFunc(slices.Clone(table()), func(c testCase) bool { return c.large })
	slices.SortStableFunc(cases, func(a, b testCase) int { return cmp.Compare(a.flops+a.bytes, b.flops+b.bytes) })
	return cases
})

var operations = []string{
	"Product", "Embed", "Norm", "Add", "Scale", "Clamp", "Activate", "Rope", "Attention", "Gather", "Scatter", "Columns", "Convolve", "DeltaRule",
}

// One value of a result, off by a hundredth, at every corner; and only where there are many rows or columns.
func TestAlteredValuesAreCaught(t *testing.T) {
	reference := openReference(t, device.ComputeF64)
	for _, operation := range operations {
		for name, where := range map[string]func(rows, cols int) (row, col int){
			"first":                  func(rows, cols int) (int, int) { return 0, 0 },
			"last":                   func(rows, cols int) (int, int) { return rows - 1, cols - 1 },
			"last row, from the 8th": func(rows, cols int) (int, int) { return rows - 1, (cols - 1) * min(1, rows/8) },
			"last column":            func(rows, cols int) (int, int) { return rows / 2, cols - 1 },
		} {
			f := &faulty{Device: reference, alter: func(done string, dst device.Tensor) {
				if done != operation {
					return
				}
				line := make([]float32, dst.Cols())
				row, col := where(dst.Rows(), dst.Cols())
				reference.Download(line, dst, row)
				line[col] += 0.01 * (float32(math.Abs(float64(line[col]))) + 0.1)
				reference.Upload(dst, row, line)
			}}
			if !caught(f, reference, operation) {
				t.Errorf("%s: an altered value (%s) was not noticed", operation, name)
			}
		}
	}
}

// Every field of what Measure and Head find, one at a time.
func TestAlteredFindingsAreCaught(t *testing.T) {
	reference := openReference(t, device.ComputeF64)
	var fields []string
	leaves(reflect.ValueOf(&device.SequenceMeasure{}).Elem(), "", func(path string, _ reflect.Value) { fields = append(fields, path) })
	if len(fields) != perSequence {
		t.Fatalf("%d fields are found, %d compared", len(fields), perSequence)
	}
	for _, field := range fields {
		f := &faulty{Device: reference}
		f.measure = func(m *device.Measure) {
			f.after(func() {
				for i := range m.Out {
					leaves(reflect.ValueOf(&m.Out[i]).Elem(), "", func(path string, v reflect.Value) {
						if path == field && i == len(m.Out)-1 {
							nudge(v)
						}
					})
				}
			})
		}
		if !caught(f, reference, "Measure") {
			t.Errorf("Measure: an altered %s was not noticed", field)
		}
	}
	for _, field := range []string{".LogSum", ".Top", ".KL", "log-probability"} {
		f := &faulty{Device: reference}
		f.head = func(h *device.Head) {
			f.after(func() {
				last := len(h.X) - 1
				if n := len(h.LogProbs[last]); field == "log-probability" && n > 0 {
					h.LogProbs[last][n-1] += 0.01
				}
				if n := len(h.Rows[last]); n > 0 {
					leaves(reflect.ValueOf(&h.Rows[last][n-1]).Elem(), "", func(path string, v reflect.Value) {
						if path == field {
							nudge(v)
						}
					})
				}
			})
		}
		if !caught(f, reference, "Head") {
			t.Errorf("Head: an altered %s was not noticed", field)
		}
	}
}

// leaves visits every number in a struct.
func leaves(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case reflect.Array:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	default:
		visit(path, v)
	}
}

func nudge(v reflect.Value) {
	if v.CanInt() {
		v.SetInt(v.Int() + 1)
		return
	}
	v.SetFloat(v.Float() + 0.01*(math.Abs(v.Float())+0.1))
}

// Breaking a rule of Device by the least bit.
func TestBrokenRulesAreCaught(t *testing.T) {
	reference := openReference(t, device.ComputeF64)
	ulp := func(d device.Device, dst device.Tensor, row int) {
		line := make([]float32, dst.Cols())
		d.Download(line, dst, row)
		line[0] = math.Nextafter32(line[0], float32(math.Inf(1)))
		d.Upload(dst, row, line)
	}
	for _, operation := range operations {
		if operation == "Gather" || operation == "Columns" || operation == "Clamp" {
			continue // must be exact anyway
		}
		beside := &faulty{Device: reference, alter: func(done string, dst device.Tensor) {
			if done == operation && dst.Rows() > 4 {
				ulp(reference, dst, 0)
			}
		}}
		if !caught(beside, reference, operation) {
			t.Errorf("%s: a result that depends on the number of rows was not noticed", operation)
		}
		found := false
		for _, c := range cheapestFirst() {
			if c.operation == operation && !found {
				found = len(compareThreads(reference, map[int]device.Device{2: beside}, c)) > 0
			}
		}
		if !found {
			t.Errorf("%s: a result that depends on the number of threads was not noticed", operation)
		}
	}
}

// Writing beside a view, into the column behind its last.
func TestWritingOutsideIsCaught(t *testing.T) {
	reference := openReference(t, device.ComputeF64)
	spill := &spilling{Device: reference}
	for _, operation := range []string{"Product", "Norm", "Attention", "Gather"} {
		if !caught(spill, reference, operation) {
			t.Errorf("%s: a write outside of the view was not noticed", operation)
		}
	}
}
