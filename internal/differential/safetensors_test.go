package differential

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/need"
	"avssnative/internal/safetensors"
)

// stricter are the reasons for which a file is refused here that the package reads. Its header is JSON read by position or by the last of two
// equal names; the format's description has neither, and a file of which two readers see different tensors is worth no reading.
var stricter = []string{
	"named twice", "given twice", "unknown key",
	"does not begin with {",                         // spaces before it
	"found [, want an object", "found {, want text", // a list in the place of an object, an object in that of a dtype
	"bytes, want at most 4096", "more than 64 numbers", "below 2^63", "a dimension of", // limits
}

// theirs is a tensor as peers.py tells it.
type theirs struct {
	dtype string
	shape []uint64
	data  []byte
}

func (t *theirs) UnmarshalJSON(text []byte) error {
	return unmarshalList(text, &t.dtype, &t.shape, &t.data)
}

// TestFiles opens files of random headers, most of them with something wrong: both refuse a file, or both read the same tensors in it. A file is
// read here and refused there only for a dtype that the package does not know.
func TestFiles(t *testing.T) {
	python := start(t, need.Python(t, "safetensors"), "safetensors")
	path := filepath.Join(t.TempDir(), "x.safetensors")
	both, refused := 0, map[string]int{}
	rounds(t, 200, allowed(t, 1), func(random *rand.Rand) int {
		files, question := make([][]byte, 200), make([]string, 200)
		for i := range files {
			files[i] = randomFile(random)
			question[i] = base64.StdEncoding.EncodeToString(files[i])
		}
		var answers []map[string]theirs
		python.ask(t, question, &answers)
		for i, file := range files {
			// A mapped file must not change under the one who reads it, so that every file is another.
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			opened, err := safetensors.Open(path)
			switch {
			case err != nil && answers[i] == nil:
				refused["by both"]++
			case err != nil:
				why := slices.IndexFunc(stricter, func(reason string) bool { return strings.Contains(err.Error(), reason) })
				if why < 0 {
					t.Errorf("%+q: %v, but the package reads it", file, err)
				} else {
					refused[stricter[why]]++
				}
			case answers[i] == nil:
				if !slices.ContainsFunc(opened.Tensors(), func(tensor safetensors.Tensor) bool { return !slices.Contains(dtypes, tensor.DType) }) {
					t.Errorf("%+q is read, but the package refuses it", file)
				}
				refused["a dtype by the package"]++
			default:
				both++
				if difference := differentTensors(opened, answers[i]); difference != "" {
					t.Errorf("%+q: %s", file, difference)
				}
			}
			if err == nil {
				opened.Close()
			}
		}
		return len(files)
	})
	t.Logf("%d read by both, refused: %v", both, refused)
	if both == 0 || refused["by both"] == 0 {
		t.Error("nothing was compared")
	}
}

// differentTensors says what is read differently.
func differentTensors(ours *safetensors.File, want map[string]theirs) string {
	if len(ours.Tensors()) != len(want) {
		return fmt.Sprintf("%d tensors, want %d", len(ours.Tensors()), len(want))
	}
	for _, tensor := range ours.Tensors() {
		other, there := want[tensor.Name]
		if !there || other.dtype != tensor.DType || fmt.Sprint(other.shape) != fmt.Sprint(tensor.Shape) || string(other.data) != string(tensor.Data) {
			return fmt.Sprintf("tensor %+q: %s %v %x, want %v", tensor.Name, tensor.DType, tensor.Shape, tensor.Data, other)
		}
	}
	return ""
}

var (
	dtypes = []string{"BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",
		"U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64"}
	bits = map[string]int{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
		"F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}
)

// entry is a tensor of a header, each part as JSON, so that every part may be wrong.
type entry struct{ name, dtype, shape, begin, end string }

// randomFile is a file of up to five tensors, with none, one or several things wrong.
func randomFile(random *rand.Rand) []byte {
	entries, at := make([]entry, random.IntN(6)), 0
	for i := range entries {
		dtype := pick(random, dtypes)
		shape, size := make([]string, random.IntN(4)), bits[dtype]
		if size == 0 {
			size = 8
		}
		for d := range shape {
			n := random.IntN(5)
			shape[d], size = fmt.Sprint(n), size*n
		}
		name, _ := json.Marshal(pick(random, []string{"a", "b.weight", "é\u0301", "漢", "\x00", "\u2028", "😀", "", "/../x", `"\`}) + fmt.Sprint(i))
		entries[i] = entry{string(name), `"` + dtype + `"`, "[" + strings.Join(shape, ",") + "]", fmt.Sprint(at), fmt.Sprint(at + size/8)}
		at += size / 8
	}
	data := make([]byte, at)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	for range max(0, random.IntN(5)-2) {
		if len(entries) > 0 {
			spoil(random, &entries[random.IntN(len(entries))])
		}
	}
	random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	header := headerOf(random, entries)
	length := uint64(len(header))
	if random.IntN(20) == 0 {
		length = pick(random, []uint64{0, 1, 8, length - 1, length + 1, length + uint64(len(data)), 1 << 40, 1<<64 - 1, uint64(random.Uint32())})
	}
	file := slices.Concat(binary.LittleEndian.AppendUint64(nil, length), []byte(header), data)
	if random.IntN(4) == 0 {
		file = mutated(random, file)
	}
	return file
}

// spoil puts something wrong, or something right that is unusual, into a tensor's entry.
func spoil(random *rand.Rand, e *entry) {
	number := func() string {
		return pick(random, []string{"0", "1", "2", "7", "-0", "-1", "00", "1.0", "1e0", "1E2", "4294967296", "9223372036854775807", "9223372036854775808",
			"18446744073709551615", "18446744073709551616", "1e400", "null", "true", `"1"`, "[1]", "[]", "{}", "+1", "0x1", "NaN"})
	}
	switch random.IntN(6) {
	case 0:
		e.begin = number()
	case 1:
		e.end = number()
	case 2:
		e.shape = pick(random, []string{"[" + number() + "]", "[" + number() + "," + number() + "]", e.shape[:len(e.shape)-1] + ",1]",
			"[1" + strings.Repeat(",1", random.IntN(80)) + "]", "null", "1", "{}", `"[]"`, "[[]]", "[,]", "[1,]",
			"[0,4611686018427387904,4]", "[4294967296,4294967296]"})
	case 3:
		e.dtype = pick(random, []string{`"` + pick(random, dtypes) + `"`, `"f32"`, `"Q9"`, `""`, `"F32 "`, `"\u0055\u0038"`,
			`"U8\u0000"`, "null", "8", `["U8"]`, `{"U8":null}`, `{"U8":[]}`})
	case 4:
		e.name = pick(random, []string{`"\ud800"`, `"\udc00x"`, `"\ud83d\ude00"`, `"\ud83dA"`, `"\u0000"`, `"\/"`, `"\x"`,
			"\"\x01\"", "\"\t\"", "\"\x7f\"", "\"\xff\"", `"__metadata__"`, `"a0"`, `""`,
			`"` + strings.Repeat("n", 1<<random.IntN(14)) + `"`, `"\uD83D\uDE00"`, `"\ud800\ud800"`, `"\u00e9"`, "a", "1"})
	case 5:
		e.begin, e.end = e.end, e.begin
	}
}

// headerOf writes a header; its keys come in any order, some twice, some not at all, and there may be spaces and metadata.
func headerOf(random *rand.Rand, entries []entry) string {
	var fields []string
	for _, e := range entries {
		parts := []string{`"dtype":` + e.dtype, `"shape":` + e.shape, `"data_offsets":[` + e.begin + `,` + e.end + `]`}
		random.Shuffle(3, func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		switch random.IntN(80) {
		case 0:
			parts = parts[1:]
		case 1:
			parts = append(parts, pick(random, []string{`"x":1`, parts[0], `"Dtype":"U8"`, `"data_offsets":[0]`, `"":{}`, `"\u0064type":"U8"`}))
		case 2:
			parts[2] = pick(random, []string{`"data_offsets":[0,1,2]`, `"data_offsets":[]`, `"data_offsets":{}`, `"data_offsets":null`, `"offsets":[0,0]`})
		case 3:
			fields = append(fields, e.name+`:[`+e.dtype+`,`+e.shape+`,[`+e.begin+`,`+e.end+`]]`)
			continue
		case 4:
			fields = append(fields, e.name+":"+pick(random, []string{"null", "1", `"U8"`, "[]", "{}", strings.Repeat("[", 200) + strings.Repeat("]", 200)}))
			continue
		}
		space := pick(random, []string{"", "", "", " ", "\n\t", "\r"})
		fields = append(fields, space+e.name+space+":"+space+"{"+strings.Join(parts, space+",")+space+"}"+space)
	}
	if random.IntN(3) == 0 {
		fields = slices.Insert(fields, random.IntN(len(fields)+1), `"__metadata__":`+pick(random, []string{"{}", `{"format":"pt"}`, "null", "[]", "1",
			`{"a":1}`, `{"a":null}`, `{"a":{}}`,
			`{"a":"b","a":"c"}`, `{"a":"\ud800"}`, `{"\udfff":""}`, `{"":""}`, `{"a":"` + "\x1f" + `"}`, `"x"`}))
	}
	header := "{" + strings.Join(fields, ",") + "}"
	if random.IntN(30) == 0 {
		header = pick(random, []string{" ", "\n", "\ufeff", "[", "\x00"}) + header
	}
	padding := " "
	if random.IntN(12) == 0 {
		padding = pick(random, []string{"\x00", "\n", "\t", "}", ",", "{}"})
	}
	return header + strings.Repeat(padding, random.IntN(9))
}

// mutated changes, takes out, puts in, moves or cuts off bytes.
func mutated(random *rand.Rand, file []byte) []byte {
	file = slices.Clone(file)
	for range 1 + random.IntN(3) {
		at := 0
		if len(file) > 0 {
			at = random.IntN(len(file))
		}
		switch random.IntN(6) {
		case 0:
			file = file[:at]
		case 1:
			file = slices.Insert(file, at, pick(random, []byte("\x00\x20{}[]\",:0123456789eE+-.\\u\xff")))
		case 2:
			file = append(file, byte(random.Uint32()))
		case 3:
			if len(file) > 0 {
				file = slices.Delete(file, at, at+1)
			}
		default:
			if len(file) > 0 {
				file[at] = pick(random, []byte{byte(random.Uint32()), file[at] ^ 1<<random.IntN(8), file[random.IntN(len(file))], '"', ' ', '0'})
			}
		}
	}
	return file
}
