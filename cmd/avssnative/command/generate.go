package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"avssnative/bench"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/chat"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func generateCommand() *cli.Command {
	return &cli.Command{
		Name: "generate", Usage: "continue a prompt; with --drop or --beside, by two models side by side",
		Flags: flags(modelFlags(), []cli.Flag{
			text("prompt", "", "text to continue; default: what stands on stdin"),
			toggle("chat", "the prompt is what a user says: write it by the model's own chat template"),
			text("system", "", "with --chat: what the system says first"),
			number("tokens", 128, "new tokens at most; 0: as many as the context has room for"),
			decimal("temperature", "of the distribution that tokens are drawn from; 0: always the most likely token"),
			number("top-k", 0, "draw from so many of the most likely tokens; 0: all"),
			decimal("top-p", "draw from the most likely tokens that hold this share of the probability; 0: all"),
			decimal("min-p", "draw from tokens at least so many times as likely as the most likely one; 0: all"),
			number("seed", 0, "of what is drawn"),
			list("stop", "end before this text; may be given several times"),
			toggle("ignore-eos", "go on behind the tokens that end a text"),
			text("drop", "", "also continue without these layers, as 3,7.attn,11.mlp"),
			text("beside", "", "also continue by this model"),
			text("draft", "", "a smaller model of the same vocabulary proposes tokens, or auto: the model without some layers; the text stays the "+
				"same, with --temperature its distribution"),
			number("draft-tokens", 0, "tokens that the draft proposes at a time; 0: 4, with auto those that gain most"),
			jsonFlag(),
		}),
		Action: generate,
	}
}

func decimal(name, about string) cli.Flag {
	return &cli.Float64Flag{Name: name, Usage: about, EnvVars: env(name)}
}

// second is what stands beside the model: under which name in JSON and on the screen, and which layers it lacks.
type second struct {
	key, title string
	model      *job.Job
	drop       engine.Drop
}

func generate(c *cli.Context) error {
	o, err := continuing(c)
	if err != nil {
		return err
	}
	if c.String("drop") != "" && c.String("beside") != "" {
		return usage("--drop and --beside: want one of them")
	}
	drop, err := engine.ParseDrop(c.String("drop"))
	if err == nil && c.String("drop") != "" && len(drop) == 0 {
		err = errors.New("no layers named")
	}
	if err != nil {
		return usage("--drop %q: want layers, or halves of them, as 3,7.attn,11.mlp: %v", c.String("drop"), err)
	}
	if c.String("system") != "" && !c.Bool("chat") {
		return usage("--system: only with --chat")
	}
	if c.Int("draft-tokens") < 0 {
		return usage("--draft-tokens %d: want 0 or more", c.Int("draft-tokens"))
	}
	text, err := promptText(c)
	if err != nil {
		return err
	}
	j, err := open(c, nil)
	if err != nil {
		return err
	}
	defer j.Close()
	var other *second
	switch {
	case c.String("drop") != "":
		if last := drop[len(drop)-1].Layer; last >= j.Model.Layers() {
			return usage("--drop %s: the model has layers 0 to %d", drop, j.Model.Layers()-1)
		}
		other = &second{"pruned", "Without " + drop.String(), j, drop}
	case c.String("beside") != "":
		beside, err := openModel(c, c.String("beside"), nil)
		if err != nil {
			return fmt.Errorf("--beside: %w", err)
		}
		defer beside.Close()
		other = &second{"beside", c.String("beside"), beside, nil}
	}
	if c.String("draft") != "" {
		end, err := useDraft(c, j, &o)
		if err != nil {
			return err
		}
		defer end()
	}
	if other == nil {
		return generateAlone(c, j, text, o)
	}
	return generateBeside(c, j, text, o, other)
}

// continuing reads the flags that say how a text is continued.
func continuing(c *cli.Context) (job.Continuing, error) {
	o := job.Continuing{Tokens: c.Int("tokens"), Stop: c.StringSlice("stop"), IgnoreEnd: c.Bool("ignore-eos"), Sampling: engine.Sampling{
		Temperature: c.Float64("temperature"), TopK: c.Int("top-k"), TopP: c.Float64("top-p"), MinP: c.Float64("min-p"), Seed: uint64(c.Int("seed"))}}
	switch s := o.Sampling; {
	case o.Tokens < 0:
		return o, usage("--tokens %d: want 0 (as many as there is room for) or more", o.Tokens)
	case !(s.Temperature >= 0 && s.Temperature <= 100):
		return o, usage("--temperature %v: want 0 (the most likely token) to 100", s.Temperature)
	case s.TopK < 0:
		return o, usage("--top-k %d: want 0 (all) or more", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return o, usage("--top-p %v: want 0 (all) to 1", s.TopP)
	case !(s.MinP >= 0 && s.MinP <= 1):
		return o, usage("--min-p %v: want 0 (all) to 1", s.MinP)
	case s.Temperature == 0 && (s.TopK > 0 || s.TopP > 0 || s.MinP > 0):
		return o, usage("--top-k, --top-p and --min-p choose what is drawn from: want a --temperature above 0")
	}
	return o, nil
}

// autoShares are the shares that --draft auto considers.
var autoShares = []float64{0.25, 0.375, 0.5}

// useDraft opens the draft that --draft names, or finds one; end gives it back.
func useDraft(c *cli.Context, j *job.Job, o *job.Continuing) (end func(), err error) {
	o.Draft = &bench.Draft{Tokens: c.Int("draft-tokens")}
	if c.String("draft") == "auto" {
		if err := calibrateAndScore(c.Context, j, calib.Options{}, job.Scoring{}); err != nil {
			return nil, err
		}
		found, err := j.FindDraft(c.Context, job.Drafting{Shares: autoShares, Sampling: engine.Sampling{Temperature: o.Sampling.Temperature, Seed: o.Sampling.Seed}})
		if err != nil {
			return nil, err
		}
		if o.Draft.Drop = found[0].Drop; o.Draft.Tokens == 0 {
			o.Draft.Tokens = found[0].Proposed
		}
		fmt.Fprintf(aside(c), "draft: without layers %s, %d tokens ahead, predicted %.2f x\n", found[0].Dropped, o.Draft.Tokens, found[0].Gain)
		return func() {}, nil
	}
	draft, err := openModel(c, c.String("draft"), nil)
	if err != nil {
		return nil, fmt.Errorf("--draft: %w", err)
	}
	if err := j.SameWords(draft); err != nil {
		return nil, errors.Join(fmt.Errorf("--draft: %w", err), draft.Close())
	}
	o.Draft.Model = draft.Model
	return func() { draft.Close() }, nil
}

// mostPrompt is how many bytes of stdin are read as a prompt.
const mostPrompt = 64 << 20

// promptText is the text of --prompt, or of stdin without the end of its last line.
func promptText(c *cli.Context) (string, error) {
	if c.IsSet("prompt") {
		return c.String("prompt"), nil
	}
	if file, ok := c.App.Reader.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return "", usage("--prompt is missing: the text to continue, here or on stdin")
	}
	data, err := io.ReadAll(io.LimitReader(c.App.Reader, mostPrompt+1))
	if err != nil {
		return "", fmt.Errorf("stdin: %w", err)
	}
	if len(data) > mostPrompt {
		return "", fmt.Errorf("stdin: a prompt of more than %d MiB", mostPrompt>>20)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", usage("--prompt is missing: the text to continue, here or on stdin")
	}
	return text, nil
}

// generateAlone shows what one model says as it comes.
func generateAlone(c *cli.Context, j *job.Job, text string, o job.Continuing) error {
	ids, err := promptIDs(c, j, text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	if !c.Bool("json") {
		o.Show = say(c, cancel)
	}
	said, err := j.Continue(ctx, ids, o, nil)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, saidJSON{Model: j.Model.Ref, Prompt: text, Continued: said})
	}
	fmt.Fprintln(c.App.Writer)
	fmt.Fprintln(aside(c), pace(said))
	return nil
}

// say prints what a model says as it comes. When nobody takes it, the model stops.
func say(c *cli.Context, stop func()) func(piece string) {
	return func(piece string) {
		if _, err := fmt.Fprint(c.App.Writer, shownText(piece)); err != nil {
			stop()
		}
	}
}

// generateBeside shows what two models say, one under the other, and where they part.
func generateBeside(c *cli.Context, j *job.Job, text string, o job.Continuing, other *second) error {
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	answer := saidJSON{Model: j.Model.Ref, Prompt: text}
	for i, s := range []second{{"", "Dense", j, nil}, *other} {
		ids, err := promptIDs(c, s.model, text)
		if err != nil {
			return err
		}
		if !c.Bool("json") {
			fmt.Fprintf(c.App.Writer, "%s\n", shown(s.title))
			o.Show = say(c, cancel)
		}
		if i > 0 {
			o.Draft = nil // it is the first model's
		}
		said, err := s.model.Continue(ctx, ids, o, s.drop)
		if err != nil {
			return err
		}
		if !c.Bool("json") {
			fmt.Fprintf(c.App.Writer, "\n(%s)\n\n", pace(said))
		}
		switch {
		case i == 0:
			answer.Continued = said
		case s.key == "pruned":
			answer.Pruned = said
		default:
			answer.Beside = said
		}
	}
	if c.Bool("json") {
		return printJSON(c, answer)
	}
	if same, of := answer.agree(); same == of {
		fmt.Fprintln(c.App.Writer, "Both say the same.")
	} else {
		fmt.Fprintf(c.App.Writer, "They part after %d characters.\n", same)
	}
	return nil
}

// saidJSON is what --json prints.
type saidJSON struct {
	Model  string `json:"model"`
	Prompt string `json:"prompt"`
	*job.Continued
	Pruned *job.Continued `json:"pruned,omitempty"`
	Beside *job.Continued `json:"beside,omitempty"`
}

// agree counts the characters that both texts begin with, and those of the longer one.
func (s saidJSON) agree() (same, of int) {
	a, b := []rune(s.Text), []rune(nil)
	if s.Pruned != nil {
		b = []rune(s.Pruned.Text)
	} else {
		b = []rune(s.Beside.Text)
	}
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	return same, max(len(a), len(b))
}

// pace is a line about how fast it went.
func pace(c *job.Continued) string {
	ended := map[string]string{"end": "the text ended", "stop": "a stop string came", "tokens": "as many as asked for",
		"context": "the context is full"}[c.Ended]
	if c.Proposed > 0 {
		ended += fmt.Sprintf("; %d of %d proposed tokens accepted", c.Accepted, c.Proposed)
	}
	return fmt.Sprintf("%d prompt tokens in %.2f s, %d new tokens, %.1f tokens/s; %s", c.PromptTokens, c.PromptSeconds, len(c.Tokens), c.PerSecond,
		ended)
}

// promptIDs are a prompt's tokens for a model.
func promptIDs(c *cli.Context, j *job.Job, text string) ([]int32, error) {
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	special := true
	if c.Bool("chat") {
		messages := []chat.Message{{Role: "user", Content: text}}
		if system := c.String("system"); system != "" {
			messages = append([]chat.Message{{Role: "system", Content: system}}, messages...)
		}
		if text, err = j.Chat(messages); err != nil {
			return nil, fmt.Errorf("--chat: %w", err)
		}
		special = false // a template writes them itself
	}
	ids, err := t.Encode(text, special)
	if err != nil {
		return nil, fmt.Errorf("--prompt: %w", err)
	}
	if len(ids) == 0 {
		return nil, usage("--prompt %q: has no tokens", text)
	}
	return ids, nil
}
