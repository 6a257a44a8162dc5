package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/corpus"
	"avssnative/internal/need"

	"github.com/google/go-cmp/cmp"
)

// written makes a data folder that holds one file.
func written(t *testing.T, name, content string) Source {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return Source{Dir: dir}
}

func TestEveryFormOfEveryTask(t *testing.T) {
	for _, test := range []struct {
		task, file, line string
		context          string
		continuations    []string
		gold             int
		lengths          []int
	}{
		{"arc_easy", "mosaic_arc_easy.jsonl", `{"query": "Question: Why?", "choices": ["é", "so"], "gold": 1}`, "Question: Why?\nAnswer:",
			[]string{" é", " so"}, 1, []int{1, 2}},
		{"arc_challenge", "test.jsonl", `{"question": "Why?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}`,
			"Question: Why?\nAnswer:", []string{" a", " b"}, 1, []int{1, 1}},
		{"openbookqa", "mosaic_openbook_qa.jsonl", `{"query": "Fog is", "choices": ["a", "b", "c", "d"], "gold": 0}`, "Fog is",
			[]string{" a", " b", " c", " d"}, 0, []int{1, 1, 1, 1}},
		{"openbookqa", "test.jsonl", `{"question_stem": "Fog is", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": " A"}`, "Fog is",
			[]string{" a", " b"}, 0, []int{1, 1}},
		{"piqa", "mosaic_piqa.jsonl", `{"query": "Question: How?\n", "choices": ["a", "bb"], "gold": 1}`, "Question: How?\nAnswer:", []string{" a", " bb"},
			1, []int{1, 2}},
		{"piqa", "valid.jsonl", `{"goal": "How?", "sol1": "a", "sol2": "bb", "label": 1}`, "Question: How?\nAnswer:", []string{" a", " bb"}, 1,
			[]int{1, 2}},
		{"boolq", "mosaic_boolq.jsonl", `{"query": "Passage: It is.\nQuestion: is it?", "choices": ["no", "yes"], "gold": 1}`,
			"It is.\nQuestion: is it?\nAnswer:", []string{" no", " yes"}, 1, []int{2, 3}},
		{"boolq", "validation.jsonl", `{"passage": "It is.", "question": "is it", "label": "0"}`, "It is.\nQuestion: is it?\nAnswer:",
			[]string{" no", " yes"}, 0, []int{2, 3}},
		{"boolq", "validation.jsonl", `{"passage": "It is.", "question": "is it", "answer": true}`, "It is.\nQuestion: is it?\nAnswer:",
			[]string{" no", " yes"}, 1, []int{2, 3}},
		{"sciq", "test.jsonl", `{"support": " S.", "question": "Q?", "distractor1": "a", "distractor2": "b", "distractor3": "c", "correct_answer": "d"}`,
			"S.\nQuestion: Q?\nAnswer:", []string{" a", " b", " c", " d"}, 3, []int{1, 1, 1, 1}},
		{"hellaswag", "validation.jsonl", `{"activity_label": "Roof", "ctx_a": "A man  is", "ctx_b": "he Sits [x] UP", "endings": ["and [title] Go", " on"], "label": "1"}`, "Roof: A man is He sits up", []string{" and. Go", " on"}, 1, []int{7, 2}},
		{"hellaswag", "mosaic_hellaswag.jsonl", `{"query": "Roof: A", "choices": ["a", "b"], "gold": 0}`, "Roof: A", []string{" a", " b"}, 0, []int{1, 1}},
		{"sst2", "dev.tsv", "so good\t1\r", "so good\nQuestion: Is this sentence positive or negative?\nAnswer:", []string{" negative", " positive"}, 1,
			[]int{8, 8}},
		{"lambada_openai", "mosaic_lambada_openai.jsonl", `{"context": "a b", "continuation": "c"}`, "a b", []string{" c"}, 0, nil},
		{"lambada_openai", "test.jsonl", `{"text": "a b c"}`, "a b", []string{" c"}, 0, nil},
		{"small_world_qa", "qa.jsonl", `{"kind": "k", "context": "a", "choices": ["b", "c"], "gold": 1}`, "a", []string{" b", " c"}, 1, []int{1, 1}},
		{"small_world_sentiment", "sentiment.jsonl", `{"context": "a", "choices": ["b", "c"], "gold": 1}`, "a", []string{" b", " c"}, 1, []int{1, 1}},
	} {
		t.Run(test.task+"/"+test.file, func(t *testing.T) {
			folder, _, _ := strings.Cut(registry[test.task].Files[0], "/")
			sets, err := Load(t.Context(), []string{test.task}, written(t, folder+"/"+test.file, "\n"+test.line+"\n"), Limit{})
			if err != nil {
				t.Fatal(err)
			}
			want := Item{Gold: test.gold, Lengths: test.lengths}
			for _, c := range test.continuations {
				want.Pairs = append(want.Pairs, Pair{test.context, c})
			}
			if diff := cmp.Diff([]Item{want}, sets[0].Items); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWinograndeScoresWhatFollowsTheGap(t *testing.T) {
	for name, line := range map[string]string{
		"mosaic_winogrande.jsonl": `{"context_options": ["The ball hit Ann so Ann", "The ball hit Ann so Bea"], "continuation": "cried.", "gold": 1}`,
		"validation.jsonl":        `{"sentence": "The ball hit Ann so _ cried. ", "option1": "Ann", "option2": "Bea", "answer": "2"}`,
	} {
		sets, err := Load(t.Context(), []string{"winogrande"}, written(t, "winogrande/"+name, line), Limit{})
		if err != nil {
			t.Fatal(err)
		}
		want := []Pair{{"The ball hit Ann so Ann", " cried."}, {"The ball hit Ann so Bea", " cried."}}
		if diff := cmp.Diff(want, sets[0].Items[0].Pairs); diff != "" || sets[0].Items[0].Gold != 1 {
			t.Errorf("%s: gold %d, %s", name, sets[0].Items[0].Gold, diff)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	long := `{"context": "` + strings.Repeat("a", corpus.MaxBytes) + `"}`
	for _, test := range []struct {
		task, file, content string
		parts               []string
	}{
		{"sst2", "sst2/dev.tsv", "", []string{"sst2", "dev.tsv: no items"}},
		{"sst2", "sst2/dev.tsv", "sentence\tlabel\n\n", []string{"no items"}},
		{"sst2", "sst2/dev.tsv", "good\t1\nbad\t2\n", []string{"dev.tsv: record 2", `label "2", want 0 or 1`}},
		{"sst2", "sst2/dev.tsv", "good\t01\n", []string{"dev.tsv: record 1", `label "01"`}},
		{"sst2", "sst2/dev.tsv", "good\n", []string{"dev.tsv: line 1", "1 cells, want 2"}},
		{"arc_easy", "arc_easy/test.jsonl", "{\"query\": \"a\", \"choices\": [\"a\", \"b\"], \"gold\": 0}\n{\n", []string{"arc_easy", "test.jsonl: line 2",
			"JSON"}},
		{"arc_easy", "arc_easy/test.jsonl", `[1]`, []string{"test.jsonl: line 1"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"query": "a", "choices": ["a", "b"], "gold": 2}`, []string{"test.jsonl: record 1", "right answer 2",
			"0 to 1"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"query": "a", "choices": ["a", "b"], "gold": -1}`, []string{"right answer -1"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"query": "a", "choices": ["a", ""], "gold": 0}`, []string{"choice 1 is empty"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"query": "a", "choices": ["a"], "gold": 0}`, []string{"1 choices"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"query": "a", "choices": "ab", "gold": 0}`, []string{"neither a list"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"query": "a", "choices": ["a", "b"]}`, []string{"no right answer"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"question": "a", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "E"}`,
			[]string{`"E"`, `["A" "B"]`}},
		{"arc_easy", "arc_easy/test.jsonl", `{"question": "a", "choices": {"text": ["a", "b"], "label": ["A"]}, "answerKey": "A"}`,
			[]string{"2 texts", "1 labels"}},
		{"arc_easy", "arc_easy/test.jsonl", `{"choices": ["a", "b"], "gold": 0}`, []string{"neither query nor question"}},
		{"piqa", "piqa/valid.jsonl", `{"goal": "a", "sol1": "b", "sol2": "c"}`, []string{"valid.jsonl: record 1", "valid-labels.lst"}},
		{"piqa", "piqa/valid.jsonl", `{"goal": "a", "sol1": "b"}`, []string{"sol2"}},
		{"piqa", "piqa/valid.jsonl", `{"goal": "a", "sol1": "b", "sol2": "c", "label": "two"}`, []string{"no whole number"}},
		{"winogrande", "winogrande/validation.jsonl", `{"sentence": "no gap", "option1": "a", "option2": "b", "answer": "1"}`, []string{"gap"}},
		{"winogrande", "winogrande/validation.jsonl", `{"sentence": "a _ b", "option1": "a", "option2": "b", "answer": "3"}`, []string{"right answer 2"}},
		{"winogrande", "winogrande/validation.jsonl", `{"sentence": "a _", "option1": "a", "option2": "b", "answer": "1"}`, []string{"nothing follows"}},
		{"boolq", "boolq/validation.jsonl", `{"passage": "a", "question": "b"}`, []string{"neither label nor answer"}},
		{"sciq", "sciq/test.jsonl", `{"support": "a", "question": "b"}`, []string{"choice 0 is empty"}},
		{"hellaswag", "hellaswag/validation.jsonl", `{"activity_label": "a", "endings": ["a", "b"], "label": ""}`, []string{"label"}},
		{"lambada_openai", "lambada/test.jsonl", `{"text": "word"}`, []string{"one word"}},
		{"lambada_openai", "lambada/test.jsonl", `{"text": "two "}`, []string{"empty"}},
		{"lambada_openai", "lambada/test.jsonl", `{}`, []string{"neither context"}},
		{"lambada_openai", "lambada/test.jsonl", long, []string{"test.jsonl: line 1", "longer than 67108864 bytes"}},
		{"small_world_qa", "small_world/qa.jsonl", `{"choices": ["a", "b"]}`, []string{"no context or no gold"}},
		{"small_world_stories", "small_world/stories.txt", " \n<|endoftext|>\n", []string{"no items"}},
		{"chunk-8", "wikitext-2/test.txt", " \n", []string{"no items"}},
	} {
		t.Run(test.task, func(t *testing.T) {
			_, err := Load(t.Context(), []string{test.task}, written(t, test.file, test.content), Limit{})
			wantError(t, err, append(test.parts, "bench: "+test.task)...)
		})
	}
}

func TestMissingFilesAndNames(t *testing.T) {
	empty := Source{Dir: t.TempDir()}
	for _, test := range []struct {
		names  []string
		source Source
		limit  Limit
		parts  []string
	}{
		{nil, empty, Limit{}, []string{"no tasks", "arc_easy", "winogrande"}},
		{[]string{"sst3"}, empty, Limit{}, []string{"did you mean sst2?", "known are", "lambada_openai"}},
		{[]string{"small_word"}, empty, Limit{}, []string{"did you mean small_world?"}},
		{[]string{"mmlu_professional_law"}, empty, Limit{}, []string{"unknown; known are"}},
		{[]string{"chunk-x"}, empty, Limit{}, []string{"chunk-x", "chunk-512"}},
		{[]string{"llamacpp-2"}, empty, Limit{}, []string{"4 to"}},
		{[]string{"sst2"}, Source{}, Limit{}, []string{"no folder of task files given", "sst2/dev.tsv"}},
		{[]string{"sst2"}, empty, Limit{}, []string{"no file", "dev.tsv"}},
		{[]string{"sst2=" + empty.Dir}, Source{}, Limit{}, []string{"a folder, want a regular file"}},
		{[]string{"sst2=nowhere.tsv"}, empty, Limit{}, []string{"no file nowhere.tsv"}},
		{[]string{"small_world=x"}, Source{}, Limit{}, []string{"3 tasks"}},
		{[]string{"sst2"}, empty, Limit{Items: -1}, []string{"limit of -1"}},
	} {
		_, err := Load(t.Context(), test.names, test.source, test.limit)
		wantError(t, err, append(test.parts, "bench: ")...)
	}
}

func TestLoadSmallWorldFromInside(t *testing.T) {
	sets, err := Load(t.Context(), []string{"small_world", "small_world_qa"}, Source{}, Limit{Items: 7})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, set := range sets {
		names = append(names, fmt.Sprint(set.Task.Name, len(set.Items)))
	}
	if diff := cmp.Diff([]string{"small_world_qa7", "small_world_sentiment7", "small_world_stories7"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestOwnFile(t *testing.T) {
	source := written(t, "mine.tsv", "good\t1\n")
	sets, err := Load(t.Context(), []string{"sst2=" + filepath.Join(source.Dir, "mine.tsv")}, Source{}, Limit{})
	if err != nil || len(sets[0].Items) != 1 {
		t.Errorf("%v, %v", sets, err)
	}
}

func TestLimit(t *testing.T) {
	if got := (Limit{Items: 3}).choose(5); !cmp.Equal(got, []int{0, 1, 2}) {
		t.Errorf("the first three are %v", got)
	}
	a, b := Limit{Items: 5, Seed: 1}.choose(1000), Limit{Items: 5, Seed: 1}.choose(1000)
	if !cmp.Equal(a, b) || cmp.Equal(a, Limit{Items: 5, Seed: 2}.choose(1000)) || len(a) != 5 {
		t.Errorf("samples %v, %v", a, b)
	}
	for i := 1; i < len(a); i++ {
		if a[i] <= a[i-1] {
			t.Errorf("sample %v is not in the file's order", a)
		}
	}
	sets, err := Load(t.Context(), []string{"small_world_qa"}, Source{}, Limit{Items: 5, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range (Limit{Items: 5, Seed: 3}).choose(500) {
		if sets[0].Items[i].Index != want {
			t.Errorf("item %d of the sample is %d, want %d", i, sets[0].Items[i].Index, want)
		}
	}
}

func TestSharedData(t *testing.T) {
	source := Source{Dir: need.Data(t, "eval")}
	want := map[string]int{"arc_easy": 2376, "arc_challenge": 1172, "piqa": 1838, "openbookqa": 500, "winogrande": 1267, "boolq": 3270,
		"lambada_openai": 5153, "sst2": 872, "tinystories_rolling": 217, "wikitext": 62, "small_world_qa": 500}
	for name, n := range want {
		sets, err := Load(t.Context(), []string{name}, source, Limit{})
		if err != nil {
			t.Error(err)
			continue
		}
		if len(sets[0].Items) != n {
			t.Errorf("%s: %d items, want %d", name, len(sets[0].Items), n)
		}
	}
	// The two forms of PIQA ask the same, but that one has its solutions trimmed.
	published, err := Load(t.Context(), []string{"piqa"}, source, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	mosaic, err := Load(t.Context(), []string{"piqa=" + filepath.Join(source.Dir, "piqa/mosaic_piqa.jsonl")}, source, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	different := 0
	for i, item := range published[0].Items {
		other := mosaic[0].Items[i]
		if item.Gold != other.Gold || item.Pairs[0].Context != other.Pairs[0].Context ||
			strings.TrimSpace(item.Pairs[0].Continuation) != strings.TrimSpace(other.Pairs[0].Continuation) {
			different++
		}
	}
	if different > 0 {
		t.Errorf("%d of %d items differ between the forms of PIQA", different, len(published[0].Items))
	}
}
