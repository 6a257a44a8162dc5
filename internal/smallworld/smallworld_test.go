package smallworld

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	for name, data := range map[string][]byte{"qa": QA(), "sentiment": Sentiment()} {
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if len(lines) != 500 {
			t.Errorf("%s: %d lines, want 500", name, len(lines))
		}
		for i, line := range lines {
			var item struct {
				Context string
				Choices []string
				Gold    int
			}
			if err := json.Unmarshal([]byte(line), &item); err != nil {
				t.Fatalf("%s:%d: %v", name, i+1, err)
			}
			if item.Context == "" || item.Gold < 0 || item.Gold >= len(item.Choices) {
				t.Errorf("%s:%d: %+v", name, i+1, item)
			}
		}
	}
	for name, text := range map[string]struct {
		data []byte
		want int
	}{"stories": {Stories(), 500}, "calibration": {Calibration(), 300}} {
		documents := strings.Split(string(text.data), EndOfText)
		if len(documents) != text.want {
			t.Errorf("%s: %d documents, want %d", name, len(documents), text.want)
		}
		for i, document := range documents {
			if strings.TrimSpace(document) == "" {
				t.Errorf("%s: document %d is empty", name, i)
			}
		}
	}
}
