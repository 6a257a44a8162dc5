package bench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"avssnative/failure"
)

type labelled struct {
	Text  []string `parquet:"text,list"`
	Label []string `parquet:"label,list"`
}

// tabled is a parquet of one row.
func tabled[Row any](t *testing.T, row Row) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[Row](&out, parquet.Compression(&parquet.Snappy))
	if _, err := w.Write([]Row{row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The columns are those of the published tables, names and types.
func TestPublishedTables(t *testing.T) {
	arc := tabled(t, struct {
		ID        string   `parquet:"id"`
		Question  string   `parquet:"question"`
		Choices   labelled `parquet:"choices"`
		AnswerKey string   `parquet:"answerKey"`
	}{"Mercury_1", "Q", labelled{[]string{"a", "b", "c"}, []string{"A", "B", "C"}}, "B"})
	tables := map[string][]byte{
		"arc_easy": arc, "arc_challenge": arc,
		"piqa": tabled(t, struct {
			Goal  string `parquet:"goal"`
			Sol1  string `parquet:"sol1"`
			Sol2  string `parquet:"sol2"`
			Label int64  `parquet:"label"`
		}{"G", "one", "two", 1}),
		"sst2": tabled(t, struct {
			Sentence string `parquet:"sentence"`
			Label    int64  `parquet:"label"`
			Index    int32  `parquet:"idx"`
		}{"fine . ", 1, 0}),
		"copa": tabled(t, struct {
			Premise  string `parquet:"premise"`
			Choice1  string `parquet:"choice1"`
			Choice2  string `parquet:"choice2"`
			Question string `parquet:"question"`
			Index    int32  `parquet:"idx"`
			Label    int64  `parquet:"label"`
		}{"It rained.", "The sky was grey.", "It was dry.", "cause", 0, 1}),
		"boolq": tabled(t, struct {
			Question string `parquet:"question"`
			Passage  string `parquet:"passage"`
			Index    int32  `parquet:"idx"`
			Label    int64  `parquet:"label"`
		}{"is it", "P", 0, 1}),
		"lambada_openai": tabled(t, struct {
			Text string `parquet:"text"`
		}{"once upon a time"}),
		"hellaswag": tabled(t, struct {
			Index     int32    `parquet:"ind"`
			Activity  string   `parquet:"activity_label"`
			A         string   `parquet:"ctx_a"`
			B         string   `parquet:"ctx_b"`
			Context   string   `parquet:"ctx"`
			Endings   []string `parquet:"endings,list"`
			Source    string   `parquet:"source_id"`
			Split     string   `parquet:"split"`
			SplitType string   `parquet:"split_type"`
			Label     string   `parquet:"label"`
		}{1, "Roof", "A man", "he", "A man he", []string{"falls", "runs", "sits", "sings"}, "s", "val", "indomain", "1"}),
		"winogrande": tabled(t, struct {
			Sentence string `parquet:"sentence"`
			Option1  string `parquet:"option1"`
			Option2  string `parquet:"option2"`
			Answer   string `parquet:"answer"`
		}{"S saw _ there.", "A", "B", "2"}),
		"openbookqa": tabled(t, struct {
			ID        string   `parquet:"id"`
			Stem      string   `parquet:"question_stem"`
			Choices   labelled `parquet:"choices"`
			AnswerKey string   `parquet:"answerKey"`
		}{"1", "Q", labelled{[]string{"a", "b"}, []string{"A", "B"}}, "B"}),
		"sciq": tabled(t, struct {
			Question string `parquet:"question"`
			D3       string `parquet:"distractor3"`
			D1       string `parquet:"distractor1"`
			D2       string `parquet:"distractor2"`
			Correct  string `parquet:"correct_answer"`
			Support  string `parquet:"support"`
		}{"Q", "x", "y", "z", "r", "S"}),
		"commonsense_qa": tabled(t, struct {
			ID        string   `parquet:"id"`
			Question  string   `parquet:"question"`
			Concept   string   `parquet:"question_concept"`
			Choices   labelled `parquet:"choices"`
			AnswerKey string   `parquet:"answerKey"`
		}{"1", "Q", "c", labelled{[]string{"a", "b", "c", "d", "e"}, []string{"A", "B", "C", "D", "E"}}, "B"}),
		"gsm8k": tabled(t, struct {
			Question string `parquet:"question"`
			Answer   string `parquet:"answer"`
		}{"Q", "so #### 5"}),
		"triviaqa": tabled(t, struct {
			Question string `parquet:"question"`
			ID       string `parquet:"question_id"`
			Pages    struct {
				Titles []string `parquet:"title,list"`
			} `parquet:"entity_pages"`
			Answer struct {
				Aliases    []string `parquet:"aliases,list"`
				Normalised []string `parquet:"normalized_aliases,list"`
				Value      string   `parquet:"value"`
			} `parquet:"answer"`
		}{Question: "Q", Answer: struct {
			Aliases    []string `parquet:"aliases,list"`
			Normalised []string `parquet:"normalized_aliases,list"`
			Value      string   `parquet:"value"`
		}{Aliases: []string{"Bern", "Berne"}, Value: "Bern"}}),
	}
	dir := t.TempDir()
	source := Source{Cached: func(p Published) (string, error) {
		for name := range tables {
			if registry[name].Hub == p {
				return filepath.Join(dir, name+".parquet"), nil
			}
		}
		return "", nil
	}}
	for name, table := range tables {
		if name == "arc_challenge" { // found as arc_easy's is
			continue
		}
		if registry[name].Hub == (Published{}) {
			t.Errorf("%s is published nowhere", name)
		}
		path := filepath.Join(dir, name+".parquet")
		if err := os.WriteFile(path, table, 0o600); err != nil {
			t.Fatal(err)
		}
		sets, err := Load(t.Context(), []string{name}, source, Limit{})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if len(sets[0].Items) != 1 || sets[0].File != path {
			t.Errorf("%s: %+v", name, sets[0])
			continue
		}
		item := sets[0].Items[0]
		switch name {
		case "lambada_openai":
			if item.Pairs[0] != (Pair{"once upon a", " time"}) {
				t.Errorf("%s: %+v", name, item)
			}
		case "gsm8k", "triviaqa":
			want := map[string][]string{"gsm8k": {"so #### 5"}, "triviaqa": {"Bern", "Berne"}}[name]
			if !cmp.Equal(item.Answers, want) {
				t.Errorf("%s: %+v", name, item)
			}
		case "sciq":
			if item.Gold != 3 || item.Pairs[3].Continuation != " r" || item.Pairs[0].Continuation != " y" {
				t.Errorf("%s: %+v", name, item)
			}
		default:
			if item.Gold != 1 || len(item.Pairs) < 2 {
				t.Errorf("%s: %+v", name, item)
			}
		}
	}
	for name, task := range registry {
		if _, tested := tables[name]; !tested && task.Hub != (Published{}) {
			t.Errorf("%s: its table's columns are not tested", name)
		}
		if task.Hub != (Published{}) && task.Hub.Config == "" {
			t.Errorf("%s: which configuration of %s is not said", name, task.Hub.Repository)
		}
	}
}

// A folder's own file goes before the cache, and what fails there is not passed over.
func TestCachedComesLast(t *testing.T) {
	asked := 0
	broken := errors.New("broken")
	source := written(t, "gsm8k/test.jsonl", `{"question": "Q", "answer": "#### 1"}`+"\n")
	source.Cached = func(Published) (string, error) { asked++; return "", broken }
	if _, err := Load(t.Context(), []string{"gsm8k", "small_world_qa"}, source, Limit{}); err != nil || asked > 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if _, err := Load(t.Context(), []string{"piqa"}, source, Limit{}); !errors.Is(err, broken) {
		t.Error(err)
	}
	source.Cached = func(Published) (string, error) { return "", nil }
	if _, err := Load(t.Context(), []string{"piqa"}, source, Limit{}); !errors.Is(err, failure.NotFound) || !strings.Contains(err.Error(), "piqa") {
		t.Error(err)
	}
	tasks, err := Lookup([]string{"arc_easy", "piqa", "mine=mine.jsonl", "arc_easy"})
	if err != nil || len(tasks) != 2 || tasks[1].Name != "piqa" {
		t.Errorf("%v %v", tasks, err)
	}
	if _, err := Lookup([]string{"nosuch"}); !errors.Is(err, failure.NotFound) {
		t.Error(err)
	}
}
