package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

// Every form of file gives the same items.
func TestFormsOfFiles(t *testing.T) {
	type question struct {
		Context string   `parquet:"context" json:"context"`
		Choices []string `parquet:"choices,list" json:"choices"`
		Gold    int64    `parquet:"gold" json:"gold"`
	}
	var plain, gz, zst, table bytes.Buffer
	rows := parquet.NewGenericWriter[question](&table)
	want := []Item{}
	for i := range 20 {
		fmt.Fprintf(&plain, "{\"context\": \"c%d\", \"choices\": [\"a\", \"b\"], \"gold\": %d}\n", i, i%2)
		if _, err := rows.Write([]question{{fmt.Sprint("c", i), []string{"a", "b"}, int64(i % 2)}}); err != nil {
			t.Fatal(err)
		}
		context := fmt.Sprint("c", i)
		want = append(want, Item{Index: i, Pairs: []Pair{{context, " a"}, {context, " b"}}, Lengths: []int{1, 1}, Gold: i % 2})
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	one := gzip.NewWriter(&gz)
	one.Write(plain.Bytes())
	one.Close()
	two, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	two.Write(plain.Bytes())
	two.Close()
	for name, content := range map[string]string{
		"mine.jsonl": plain.String(), "mine.json": plain.String(), "mine.jsonl.gz": gz.String(),
		"mine.jsonl.zst": zst.String(), "mine.parquet": table.String(),
	} {
		path := filepath.Join(written(t, name, content).Dir, name)
		for _, limit := range []int{0, 7} {
			sets, err := Load(t.Context(), []string{"small_world_qa=" + path}, Source{}, Limit{Items: limit})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			wanted := want
			if limit > 0 {
				wanted = want[:limit]
			}
			if diff := cmp.Diff(wanted, sets[0].Items); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	stories := filepath.Join(written(t, "s.jsonl", "{\"text\": \"one two\"}\n{\"text\": \" \"}\n{\"text\": \"three\"}\n").Dir, "s.jsonl")
	sets, err := Load(t.Context(), []string{"small_world_stories=" + stories}, Source{}, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	want = []Item{{Index: 0, Text: "one two", Words: 2, Bytes: 7}, {Index: 2, Text: "three", Words: 1, Bytes: 5}}
	if diff := cmp.Diff(want, sets[0].Items); diff != "" {
		t.Error(diff)
	}
	_, err = Load(t.Context(), []string{"chunk-8=" + stories}, Source{}, Limit{})
	wantError(t, err, "chunk-8", "s.jsonl", "holds records", "want text")
}

// What lies behind the items that the limit asks for is not looked at.
func TestLimitReadsNoFurther(t *testing.T) {
	for _, test := range []struct{ task, file, item string }{
		{"small_world_qa", "small_world/qa.jsonl", `{"context": "a", "choices": ["b", "c"], "gold": 1}` + "\n"},
		{"piqa", "piqa/valid.jsonl", `{"goal": "How?", "sol1": "a", "sol2": "bb", "label": 1}` + "\n"},
		{"sst2", "sst2/dev.tsv", "good\t1\n"},
		{"small_world_stories", "small_world/stories.txt", "a story\n<|endoftext|>\n"},
		{"wikitext", "wikitext-2/test.txt", " = A = \n text \n"},
	} {
		// The third item is no UTF-8.
		source := written(t, test.file, test.item+test.item+"\xff"+test.item)
		if _, err := Load(t.Context(), []string{test.task}, source, Limit{}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%s: all of a damaged file: %v", test.task, err)
		}
		sets, err := Load(t.Context(), []string{test.task}, source, Limit{Items: 1})
		if err != nil || len(sets[0].Items) != 1 {
			t.Errorf("%s: one item: %v", test.task, err)
		}
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"small_world_qa", "small_world_stories"} {
		if _, err := Load(ctx, []string{name}, Source{}, Limit{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTaskFilesAreRegular(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"small_world/qa.jsonl", "small_world/stories.txt", "sst2/dev.tsv", "piqa/valid.jsonl"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if os.Symlink("/dev/zero", path) != nil {
			t.Skip("skipped: no links here")
		}
	}
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("skipped: no /dev/zero here")
	}
	for _, name := range []string{"small_world_qa", "small_world_stories", "sst2", "piqa"} {
		_, err := Load(t.Context(), []string{name}, Source{Dir: dir}, Limit{})
		wantError(t, err, name, "a device, want a regular file")
	}
	labels := filepath.Join(dir, "piqa", "valid-labels.lst")
	os.Remove(filepath.Join(dir, "piqa", "valid.jsonl"))
	if err := os.WriteFile(filepath.Join(dir, "piqa", "valid.jsonl"), []byte(`{"goal": "a", "sol1": "b", "sol2": "c"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", labels); err != nil {
		t.Fatal(err)
	}
	_, err := Load(t.Context(), []string{"piqa"}, Source{Dir: dir}, Limit{})
	wantError(t, err, "piqa", "valid-labels.lst", "a device, want a regular file")
}
