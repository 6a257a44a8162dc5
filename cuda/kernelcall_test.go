package cuda

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	kernels "avssnative/kernels/cuda"
)

var (
	ptxEntry     = regexp.MustCompile(`(?s)\.visible \.entry (\w+)\((.*?)\n\)`)
	ptxParameter = regexp.MustCompile(`\.param (?:\.align (\d+) )?\.(\w+) \w+(?:\[(\d+)\])?`)
)

// ptxParameters gives the parameters of every kernel of a PTX text, each as its type, an array's with its size: u64, f32, b8[128].
func ptxParameters(t *testing.T, ptx string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, entry := range ptxEntry.FindAllStringSubmatch(ptx, -1) {
		var list []string
		for _, p := range ptxParameter.FindAllStringSubmatch(entry[2], -1) {
			kind := p[2]
			if p[3] != "" {
				kind += "[" + p[3] + "]"
			}
			list = append(list, kind)
		}
		all[entry[1]] = list
	}
	return all
}

// passed gives what a function of kernels_gen.go hands over for arguments that count up from 1: the types of the parameters as PTX has them,
// and the slots' bits.
func passed(t *testing.T, f any) (kinds []string, bits []uint64, made kernelCall) {
	t.Helper()
	function := reflect.ValueOf(f)
	arguments := make([]reflect.Value, function.Type().NumIn())
	number := uint64(0)
	scalar := func(v reflect.Value) {
		number++
		kind := ""
		switch v.Kind() {
		case reflect.Uint64, reflect.Int64:
			kind = "u64"
		case reflect.Int, reflect.Uint32:
			kind = "u32"
		case reflect.Float32:
			kind = "f32"
		default:
			t.Fatalf("an argument of type %s", v.Type())
		}
		if v.CanFloat() {
			v.SetFloat(float64(number))
		} else if v.CanInt() {
			v.SetInt(int64(number))
		} else {
			v.SetUint(number)
		}
		if f, float := v.Interface().(float32); float {
			bits = append(bits, uint64(*(*uint32)(unsafe.Pointer(&f))))
		} else {
			bits = append(bits, number)
		}
		kinds = append(kinds, kind)
	}
	for i := range arguments {
		kind := function.Type().In(i)
		v := reflect.New(kind).Elem()
		switch {
		case kind == reflect.TypeFor[*tensorMap]():
			v.Set(reflect.ValueOf(new(tensorMap)))
			kinds = append(kinds, "b8[128]")
		case kind.Kind() == reflect.Struct: // a view: its fields cannot be set one by one
			var w view[byte]
			scalar(reflect.ValueOf(&w.at).Elem())
			scalar(reflect.ValueOf(&w.ld).Elem())
			v = reflect.NewAt(kind, unsafe.Pointer(&w)).Elem()
		default:
			scalar(v)
		}
		arguments[i] = v
	}
	return kinds, bits, function.Call(arguments)[0].Interface().(kernelCall)
}

// TestKernelCalls holds every function that launches a kernel against the compiled kernel's own list of parameters, and what it passes against
// what it was given: types, sizes, order and number.
func TestKernelCalls(t *testing.T) {
	entries := map[string]map[string][]string{} // by source
	for name, f := range generatedKernels {
		kinds, bits, made := passed(t, f)
		if entries[made.source] == nil {
			ptx, err := kernels.PTX(made.source)
			if err != nil {
				t.Fatal(err)
			}
			entries[made.source] = ptxParameters(t, ptx)
		}
		want, known := entries[made.source][name]
		if !known {
			t.Errorf("%s: the PTX has no such kernel", name)
			continue
		}
		delete(entries[made.source], name)
		if !slices.Equal(kinds, want) {
			t.Errorf("%s passes %v, the kernel takes %v", name, kinds, want)
		}
		maps := strings.Count(fmt.Sprint(want), "b8[128]")
		if made.kernel != name || made.err != nil || !slices.Equal(made.slots, bits) || len(made.maps) != maps {
			t.Errorf("%s passes %d maps and %v to %s (%v), want %d and %v", name, len(made.maps), made.slots, made.kernel, made.err, maps, bits)
		}
		if slices.Contains(want[maps:], "b8[128]") {
			t.Errorf("%s: a tensor map behind other parameters: %v", name, want)
		}
	}
	for source, left := range entries {
		for name := range left {
			t.Errorf("%s: nothing launches %s", source, name)
		}
	}
}

// TestKernelTypes: what kernels point to has the size that they give it.
func TestKernelTypes(t *testing.T) {
	for name, sizes := range map[string][2]uintptr{
		"GroupSums": {unsafe.Sizeof(groupSums{}), 64}, "LogitGroup": {unsafe.Sizeof(logitGroup{}), 16}, "HeadState": {unsafe.Sizeof(headState{}), 24},
		"QueryTile": {unsafe.Sizeof(queryTile{}), 32}, "bf16": {unsafe.Sizeof(bfloat16(0)), 2},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s has %d bytes here, %d there", name, sizes[0], sizes[1])
		}
	}
}

// TestKernelInt: a number that the parameter does not hold is an error that names both, and nothing is launched.
func TestKernelInt(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("skipped: no int is too large")
	}
	for _, n := range []int{1 << 31, -1<<31 - 1} {
		c := kernelAdd(view[float32]{}, view[float32]{}, view[float32]{}, 1, 3, n)
		if c.err == nil || !strings.Contains(c.err.Error(), "add: cols") {
			t.Errorf("%d columns: error %v", n, c.err)
		}
		if err := (&gpu{}).launch(grid(1, 1, 1, 0), c); err != c.err {
			t.Errorf("%d columns: launched, %v", n, err)
		}
	}
	if c := kernelAdd(view[float32]{}, view[float32]{}, view[float32]{}, 1, 3, -1); c.err != nil || c.slots[8] != 1<<32-1 {
		t.Errorf("−1: %v, %x", c.err, c.slots[8])
	}
}
