package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"avssnative/tokenizer"

	"avssnative/engine/weights"
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
	path, err := weights.Resolve(c.String("model"))
	if err != nil {
		return err
	}
	t, err := tokenizer.Open(path)
	if err != nil {
		return err
	}
	for _, note := range t.Notes() {
		fmt.Fprintf(c.App.ErrWriter, "tokenize: %s\n", shown(note))
	}
	out := bufio.NewWriter(c.App.Writer)
	in := json.NewDecoder(bufio.NewReader(c.App.Reader))
	for line := 1; ; line++ {
		var answer []byte
		var err error
		if c.Bool("decode") {
			var ids []int32
			if err = in.Decode(&ids); err == nil {
				var text string
				if text, err = t.Decode(ids, !c.Bool("special")); err == nil {
					answer, err = json.Marshal(text)
				}
			}
		} else {
			var text string
			if err = in.Decode(&text); err == nil {
				var ids []int32
				if ids, err = t.EncodeContext(c.Context, text, c.Bool("special")); err == nil {
					writeIDs(out, ids)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("tokenize: line %d: %w", line, err), out.Flush())
		}
		fmt.Fprintf(out, "%s\n", visibleJSON(answer))
	}
}

// writeIDs writes an array; a long text has too many ids to hold their digits too.
func writeIDs(out *bufio.Writer, ids []int32) {
	out.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(strconv.AppendInt(out.AvailableBuffer(), int64(id), 10))
	}
	out.WriteByte(']')
}
