package engine_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/edited"
	"avssnative/internal/gguf"
	"avssnative/internal/safetensors"
)

// plain is a matrix of random float32 values as files hold it.
func plain(seed uint64, values int) []byte {
	r := rand.New(rand.NewPCG(seed, 11))
	var data []byte
	for range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(r.NormFloat64()/8)))
	}
	return data
}

// A head that is stored counts, under every spelling of a flag that ties it; the pruned model's configuration then unties it wherever a
// release of transformers looks.
func TestStoredHeadCounts(t *testing.T) {
	const model = "testdata/architectures/"
	head := func(name string, golden string) safetensors.Source {
		m := open(t, model+golden, "reference")
		return safetensors.Bytes(name, "F32", []int64{int64(m.Spec.Vocab), int64(m.Spec.Hidden)}, plain(5, m.Spec.Vocab*m.Spec.Hidden))
	}
	for _, golden := range []string{"llama-tied-mha", "gemma", "gemma3", "gpt2", "cohere"} {
		tied := open(t, edited.Folder(t, model+golden, func(c map[string]any) { c["tie_word_embeddings"] = true }, head("lm_head.weight",
			golden)), "reference")
		said := open(t, edited.Folder(t, model+golden, func(c map[string]any) { c["tie_word_embeddings"] = false }, head("lm_head.weight",
			golden)), "reference")
		silent := open(t, edited.Folder(t, model+golden, func(c map[string]any) { delete(c, "tie_word_embeddings") }, head("lm_head.weight",
			golden)), "reference")
		want := logitsOf(t, said)
		if !reflect.DeepEqual(logitsOf(t, tied), want) || !reflect.DeepEqual(logitsOf(t, silent), want) {
			t.Errorf("%s: a flag changes what the stored head gives", golden)
		}
		if reflect.DeepEqual(logitsOf(t, open(t, model+golden, "reference")), want) {
			t.Errorf("%s: the stored head makes no difference", golden)
		}
		if !tied.Untied() || said.Untied() {
			t.Errorf("%s: untied %v and %v, want true and false", golden, tied.Untied(), said.Untied())
		}
		if short, err := tied.ShortConfig([]int{0, 1}); err != nil || short["tie_word_embeddings"] != false {
			t.Errorf("%s: written as tied: %v (%v)", golden, short["tie_word_embeddings"], err)
		}
	}
}

// In a wrapper the flag stands in one place or the other, or in both.
func TestStoredHeadOfWrapperCounts(t *testing.T) {
	const prefix, head = "model.language_model.", "lm_head."
	want := logitsOf(t, open(t, "testdata/architectures/llama", "reference"))
	for _, flags := range [][2]any{{true, nil}, {nil, true}, {true, true}, {false, true}, {true, false}} {
		m := open(t, wrapped(t, "llama", "llava", "text_config", prefix, head, func(whole, text map[string]any) {
			for i, place := range []map[string]any{whole, text} {
				if delete(place, "tie_word_embeddings"); flags[i] != nil {
					place["tie_word_embeddings"] = flags[i]
				}
			}
		}), "reference")
		if !reflect.DeepEqual(logitsOf(t, m), want) {
			t.Errorf("flags %v: the stored head does not count", flags)
		}
		short, err := m.ShortConfig([]int{0, 2})
		if err != nil || short["tie_word_embeddings"] != false || short["text_config"].(map[string]any)["tie_word_embeddings"] != false {
			t.Errorf("flags %v: written as %v, %v (%v)", flags, short["tie_word_embeddings"], short["text_config"], err)
		}
	}
}

// A copy of the table is no other head: the flag stays as it is.
func TestCopiedHeadStaysTied(t *testing.T) {
	const golden = "testdata/architectures/llama-tied-mha"
	m := open(t, golden, "reference")
	table, _ := m.Tensors.Lookup("model.embed_tokens.weight")
	again := open(t, edited.Folder(t, golden, nil, safetensors.Bytes("lm_head.weight", string(table.Type), []int64{int64(table.Shape[0]),
		int64(table.Shape[1])}, table.Data)), "reference")
	if again.Untied() || !reflect.DeepEqual(logitsOf(t, again), logitsOf(t, m)) {
		t.Error("a copy of the table counts as another head")
	}
	if short, err := again.ShortConfig([]int{0}); err != nil || short["tie_word_embeddings"] != true {
		t.Errorf("written as tied: %v (%v)", short["tie_word_embeddings"], err)
	}
}

// GGUF has no flag: output.weight is there or not, whatever the family's own files do.
func TestStoredHeadOfGGUFCounts(t *testing.T) {
	for _, golden := range []string{"gemma", "gemma2", "gpt2", "bloom", "cohere2"} {
		path := "testdata/gguf/" + golden + "-f32.gguf"
		m := open(t, path, "reference")
		size := []int64{int64(m.Spec.Vocab), int64(m.Spec.Hidden)}
		other := open(t, edited.GGUF(t, path, nil, gguf.Bytes("output.weight", gguf.F32, size, plain(6, m.Spec.Vocab*m.Spec.Hidden))), "reference")
		table, _ := m.Tensors.Lookup(m.Spec.Embed.Table.Name)
		if table.Type != "F32" {
			t.Fatalf("%s: a table of %s", golden, table.Type)
		}
		same := open(t, edited.GGUF(t, path, nil, gguf.Bytes("output.weight", gguf.F32, size, table.Data)), "reference")
		want := logitsOf(t, m)
		if reflect.DeepEqual(logitsOf(t, other), want) || !reflect.DeepEqual(logitsOf(t, same), want) {
			t.Errorf("%s: output.weight does not count", golden)
		}
	}
}

// What an index lists and no file holds matters only where the model needs it, and then the error says where it should be.
func TestAbsentTensors(t *testing.T) {
	for _, c := range []struct{ golden, absent, want string }{
		{"llama-tied-mha", "lm_head.weight", ""},
		{"llama-tied-mha", "model.layers.0.self_attn.rotary_emb.inv_freq", ""},
		{"llama", "lm_head.weight", "llama: tensor lm_head.weight: missing from part.safetensors, where the index places it"},
		{"llama", "model.layers.1.mlp.up_proj.weight", "tensor model.layers.1.mlp.up_proj.weight: missing from part.safetensors"},
	} {
		folder := edited.Folder(t, filepath.Join("testdata/architectures", c.golden), nil)
		stored, err := safetensors.Open(filepath.Join(folder, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		places := map[string]string{c.absent: "part.safetensors"}
		var sources []safetensors.Source
		for _, tensor := range stored.Tensors() {
			if tensor.Name != c.absent {
				places[tensor.Name] = "part.safetensors"
				sources = append(sources, safetensors.Bytes(tensor.Name, tensor.DType, tensor.Shape, tensor.Data))
			}
		}
		part := t.TempDir()
		if _, err := safetensors.Write(t.Context(), part, sources, nil, 0); err != nil {
			t.Fatal(err)
		}
		stored.Close()
		index, err := json.Marshal(map[string]any{"weight_map": places})
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, "model.safetensors.index.json"), index, 0o600)
		}
		if err == nil {
			err = os.Remove(filepath.Join(folder, "model.safetensors"))
		}
		if err == nil {
			err = os.Rename(filepath.Join(part, "model.safetensors"), filepath.Join(folder, "part.safetensors"))
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := engine.Open(t.Context(), folder, on("reference"))
		if err == nil {
			m.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s without %s: error %v, want %q", c.golden, c.absent, err, c.want)
		}
	}
}
