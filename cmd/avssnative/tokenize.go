package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"avssnative/engine"
	"avssnative/tokenizer"

	"github.com/urfave/cli/v2"
)

func tokenizeCommand() *cli.Command {
	return &cli.Command{
		Name: "tokenize", Usage: "read JSON strings, one a line, and print their token ids, one JSON array a line",
		Flags: []cli.Flag{
			text("model", "demo", "model, tokenizer.json, tokenizer.model or .gguf"),
			toggle("decode", "the other way: read arrays of ids, print strings"),
			toggle("special", "add what the tokenizer adds by itself; when decoding, keep special tokens"),
		},
		Action: tokenize,
	}
}

func tokenize(c *cli.Context) error {
	path, err := engine.Resolve(c.String("model"))
	if err != nil {
		return err
	}
	t, err := tokenizer.Open(path)
	if err != nil {
		return err
	}
	for _, note := range t.Notes() {
		fmt.Fprintf(c.App.ErrWriter, "tokenize: %s\n", note)
	}
	out := bufio.NewWriter(c.App.Writer)
	in := json.NewDecoder(bufio.NewReader(c.App.Reader))
	for line := 1; ; line++ {
		var answer any
		var err error
		if c.Bool("decode") {
			var ids []int32
			if err = in.Decode(&ids); err == nil {
				answer, err = t.Decode(ids, !c.Bool("special"))
			}
		} else {
			var text string
			if err = in.Decode(&text); err == nil {
				var ids []int32
				ids, err = t.EncodeContext(c.Context, text, c.Bool("special"))
				answer = append([]int32{}, ids...)
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("tokenize: line %d: %w", line, err), out.Flush())
		}
		answerLine, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", answerLine)
	}
}
