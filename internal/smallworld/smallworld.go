// Package smallworld is the demo's texts, made by one generator: items of its test side (reading questions with gold answers, reviews with
// their sentiment, stories) and documents of its training side to calibrate on.
package smallworld

import "embed"

//go:embed *.jsonl *.txt
var files embed.FS

// EndOfText stands between the documents of Stories and Calibration, on a line of its own.
const EndOfText = "<|endoftext|>"

// QA is the reading questions: 500 lines of JSON with kind, context, choices and gold.
func QA() []byte { return text("qa.jsonl") }

// Sentiment is the reviews: 500 lines of JSON with context, choices and gold.
func Sentiment() []byte { return text("sentiment.jsonl") }

// Stories is 500 stories, with EndOfText between them.
func Stories() []byte { return text("stories.txt") }

// Calibration is 300 documents of the mixture that the model was trained on, with EndOfText between them.
func Calibration() []byte { return text("calibration.txt") }

func text(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // the names above are the embedded ones
	}
	return data
}
