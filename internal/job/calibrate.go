package job

import (
	"context"
	"fmt"
	"strings"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
)

// Calibrate reads the calibration text. Where none is named the demo is measured on its own text, any other model on text that it writes itself.
func (j *Job) Calibrate(ctx context.Context, o calib.Options) error {
	t, err := j.Tokenizer()
	if err != nil {
		return err
	}
	o = j.sourced(o)
	defer j.phase("calibration text")()
	text, err := calib.Read(ctx, j.Model, t, o)
	if err != nil {
		return err
	}
	if err := j.note("calibration text", text.SHA256); err != nil {
		return err
	}
	j.replace(text)
	j.complain(text)
	j.warnFew(text)
	return nil
}

// sourced are the options with the text that is meant where none is named, and somebody to look on.
func (j *Job) sourced(o calib.Options) calib.Options {
	if len(o.Files) == 0 {
		o.Files = []string{calib.Self}
		if j.Model.Ref == calib.Demo {
			o.Files = []string{calib.Demo}
		}
	}
	if o.Progress == nil && j.Progress != nil {
		o.Progress = func(tokens, of int) {
			j.Progress("writing the calibration text", engine.Step{Done: float64(tokens), Total: float64(of), Rows: int64(tokens)})
		}
	}
	return o
}

// complain says what is wrong with a text.
func (j *Job) complain(text *calib.Text) {
	if j.incomparable != nil {
		j.Report.Warnings = append(j.Report.Warnings, "texts are not compared: "+j.incomparable.Error())
	}
	if text.DoubleBOS > 0 {
		j.Report.Warnings = append(j.Report.Warnings, fmt.Sprintf("calibration: %d documents begin with the beginning-of-sequence token that the tokenizer adds too: the model reads it twice", text.DoubleBOS))
	}
}

// replace makes a text the job's own.
func (j *Job) replace(text *calib.Text) {
	j.calibration, j.taken = text.Sequences, text
	if j.texts, j.incomparable = nil, nil; len(text.Parts) > 1 {
		if j.incomparable = comparable(text); j.incomparable == nil {
			j.texts = text
		}
	}
	j.Report.Calibration = &avss.CalibrationInfo{Source: text.Source, SHA256: text.SHA256,
		Sequences: int64(len(text.Sequences)), Tokens: int64(text.Tokens)}
}

// Calibrated says whether the calibration text is there.
func (j *Job) Calibrated() bool { return len(j.calibration) > 0 }

// warnFew warns of too little text, and of the texts of which there is too little.
func (j *Job) warnFew(t *calib.Text) {
	few := fewTokens(t)
	if few != "" {
		j.Report.Warnings = append(j.Report.Warnings, few)
	}
	for _, part := range t.Parts {
		if little := fewTokens(part); little != "" && few == "" {
			j.Report.Warnings = append(j.Report.Warnings, strings.Replace(little, "calibration:", "calibration, "+part.Source+":", 1))
		}
	}
}

// halves are the text that things are fitted and chosen on, and the one that they are judged by, in which nothing has chosen.
func (j *Job) halves() (fit, held []engine.Sequence) {
	for i, s := range j.calibration {
		switch {
		case i%2 == 0:
			fit = append(fit, s)
		case !j.weighing[i]:
			held = append(held, s)
		}
	}
	return fit, held
}

// strongly is the number of tokens below which scores say little.
const strongly = 1000

// fewTokens warns where there was less text than asked for, or hardly any. What documents lose to a last token that nothing follows is no
// shortage.
func fewTokens(t *calib.Text) string {
	short := t.Tokens*100 < t.Asked*99
	switch {
	case t.Tokens < strongly && short:
		return fmt.Sprintf("calibration: the text has only %d tokens of the %d asked for: scores from so few are not to be relied on", t.Tokens, t.Asked)
	case t.Tokens < strongly:
		return fmt.Sprintf("calibration: %d tokens were asked for: scores from so few are not to be relied on", t.Asked)
	case short:
		return fmt.Sprintf("calibration: the text has %d tokens of the %d asked for", t.Tokens, t.Asked)
	}
	return ""
}
