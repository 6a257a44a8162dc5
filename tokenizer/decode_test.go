package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"avssnative/failure"
)

var replacing = []string{
	`{"type":"Replace","pattern":{"Regex":"[ab]+"},"content":"-"}`,
	`{"type":"Replace","pattern":{"Regex":"x*"},"content":"-"}`,
	`{"type":"Replace","pattern":{"Regex":"^."},"content":""}`,
	`{"type":"Replace","pattern":{"Regex":"\\s+$"},"content":"$0"}`,
	`{"type":"Replace","pattern":{"Regex":"(?<=l)l"},"content":"L"}`,
	`{"type":"Replace","pattern":{"Regex":"[\\p{L}&&[^a]]"},"content":"L"}`,
	`{"type":"Replace","pattern":{"String":"a.b"},"content":"L"}`,
	`{"type":"Replace","pattern":{"String":""},"content":"L"}`,
	`{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"Regex":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Replace","pattern":{"Regex":"^ "},"content":""}]}`,
}

// Replace in decoders, by regular expression too, as the tokenizers library has it: token by token.
func TestReplaceAgainstOracle(t *testing.T) {
	lists := [][]string{{}, {""}, {"abba", "cab", "xxa"}, {"hello", "all ", " \n"}, {"▁hello", "▁world", "<0xE2>", "<0x82>", "<0xAC>", "▁"},
		{"a.b", "axb"}, {"日本", "é l\tl", "aXxxb"}}
	var questions []question
	var decoders []string
	for _, part := range replacing {
		if _, err := parseDecoders(json.RawMessage(part), 0); errors.Is(err, failure.Unsupported) {
			continue
		}
		q := question{Tokenizer: variant(t, "gpt2", map[string]string{"decoder": part}), Mode: "decoded"}
		for _, list := range lists {
			text, err := json.Marshal(list)
			if err != nil {
				t.Fatal(err)
			}
			q.Texts = append(q.Texts, string(text))
		}
		questions, decoders = append(questions, q), append(decoders, part)
	}
	if len(decoders) < len(replacing)-1 {
		t.Fatalf("%d of %d decoders are read", len(decoders), len(replacing))
	}
	for i, answer := range ask(t, questions) {
		var want []string
		if err := json.Unmarshal(answer, &want); err != nil {
			t.Fatal(err)
		}
		parts, err := parseDecoders(json.RawMessage(decoders[i]), 0)
		if err != nil {
			t.Fatal(err)
		}
		for j, list := range lists {
			c := &call{ctx: t.Context()}
			c.bounds(100)
			if got := decodeTokens(c, parts, list); got != want[j] || c.err != nil {
				t.Errorf("%s: %q: got %q, want %q, %v", decoders[i], list, got, want[j], c.err)
			}
		}
	}
}

// The same without the library at hand.
func TestReplaceDecoder(t *testing.T) {
	for _, c := range []struct{ part, want string }{
		{replacing[0], "-c-xx-"}, {replacing[2], "bbaabxa"}, {replacing[6], "abbacabxxa"},
	} {
		parts, err := parseDecoders(json.RawMessage(c.part), 0)
		if err != nil {
			t.Fatal(err)
		}
		state := &call{ctx: context.Background()}
		state.bounds(100)
		if got := decodeTokens(state, parts, []string{"abba", "cab", "xxa"}); got != c.want || state.err != nil {
			t.Error(fmt.Sprintf("%s: got %q, want %q", c.part, got, c.want), state.err)
		}
	}
}
