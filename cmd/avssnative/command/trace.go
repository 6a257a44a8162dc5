package command

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"avssnative/engine"
	"avssnative/internal/safetensors"

	"github.com/urfave/cli/v2"
)

func traceCommand() *cli.Command {
	return &cli.Command{
		Name: "trace", Usage: "write what enters the first block, leaves every block, and the logits, as float32 safetensors",
		Flags: flags(modelFlags(), []cli.Flag{
			text("ids", "", "token ids of the sequence, as 5,6,7"),
			text("without", "", "layers to leave out, as 3,7"),
			text("out", "", "write the trace to this .safetensors"), forceFlag(),
		}),
		Action: trace,
	}
}

func trace(c *cli.Context) error {
	ids, err := integers(c.String("ids"))
	if err != nil || len(ids) == 0 {
		return usage("--ids %q: want token ids as 5,6,7", c.String("ids"))
	}
	drop, err := engine.ParseDrop(c.String("without"))
	if err != nil {
		return usage("--without %q: want layers, or halves of them, as 3,7.attn,11.mlp: %v", c.String("without"), err)
	}
	if c.String("out") == "" {
		return usage("--out is missing: the .safetensors file to write")
	}
	out := outputPlace(c, "out", formerTrace)
	j, err := open(c, out)
	if err != nil {
		return err
	}
	defer j.Close()
	for _, u := range drop {
		if u.Layer >= j.Model.Layers() {
			return usage("--without %s: layer %d does not exist: the model has the layers 0 to %d",
				c.String("without"), u.Layer, j.Model.Layers()-1)
		}
	}
	for _, id := range ids {
		if id >= j.Model.Spec.Vocab {
			return usage("--ids %s: the model has no token %d: its vocabulary ends at %d", c.String("ids"), id, j.Model.Spec.Vocab-1)
		}
	}
	sequence := engine.Sequence{}
	for _, id := range ids {
		sequence.IDs = append(sequence.IDs, int32(id))
	}
	var sources []safetensors.Source
	_, err = j.Model.Run(c.Context, engine.Pass{Sequences: []engine.Sequence{sequence}, Variants: []engine.Drop{drop}, Trace: func(t engine.TraceTensor) error {
		data := make([]byte, 0, 4*len(t.Values))
		for _, v := range t.Values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		sources = append(sources, safetensors.Bytes(t.Name, "F32", []int64{int64(t.Rows), int64(t.Cols)}, data))
		return nil
	}})
	if err != nil {
		return err
	}
	if err := out.Write(func(path string) error { return safetensors.WriteFile(c.Context, path, sources, nil) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %d tensors\n", shown(c.String("out")), len(sources))
	return err
}

// integers reads whole numbers between commas; empty is none.
func integers(text string) ([]int, error) {
	var numbers []int
	for _, part := range commas(text) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return nil, fmt.Errorf("%q is no whole number of at least 0", part)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}
