package bench

import (
	"fmt"

	"avssnative/engine"
	"avssnative/tokenizer"
)

// Options say how items become tokens.
type Options struct {
	MaxLength int           // tokens that the model takes at a time (Spec.Context); 0: 2048
	BOS       tokenizer.BOS // "": what the tokenizer does by itself
}

// defaultLength is the length at which most published figures were measured.
const defaultLength = 2048

// A Suite is tasks as tokens: the sequences to run, and how to read what comes out.
type Suite struct {
	// Sequences are all that the tasks ask, task by task and item by item. They are silent, so that observers in the same pass do not see
	// them. Each is a context with its continuations as branches: the choices of a question cost their context once.
	Sequences []engine.Sequence
	// Tokens is the number of scored tokens.
	Tokens int

	bos       bool
	length    int
	sets      []prepared
	asked     []asked
	tokenizer Tokenizer
}

// prepared is a task whose items have their places in the suite.
type prepared struct {
	Set
	length     int // input tokens at most
	convention string
	note       string
	items      []preparedItem
}

// preparedItem says where an item's figures will stand: for every choice the places whose sum is its log-likelihood.
type preparedItem struct {
	Item
	index     int
	places    [][]place
	asked     int // of a generative task: its place among the prompts
	truncated bool
}

type place struct{ sequence, branch int }

// Prepare encodes the items of all sets. A choice whose context does not fit loses the beginning of its context; a continuation that does
// not fit by itself is an error.
func Prepare(sets []Set, tokenizer Tokenizer, o Options) (*Suite, error) {
	if o.MaxLength == 0 {
		o.MaxLength = defaultLength
	}
	if o.MaxLength < 2 {
		return nil, fmt.Errorf("bench: maximal length %d: want at least 2 tokens", o.MaxLength)
	}
	e, err := newEncoder(tokenizer, o.BOS)
	if err != nil {
		return nil, err
	}
	s := &Suite{bos: e.begins, length: o.MaxLength, tokenizer: tokenizer}
	for _, set := range sets {
		p := prepared{Set: set, length: o.MaxLength}
		if set.Task.Kind == Chunked {
			err = s.addChunks(&p, e)
		} else {
			err = s.addItems(&p, e)
		}
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", set.Task.Name, err)
		}
		s.sets = append(s.sets, p)
	}
	return s, nil
}

func (s *Suite) addItems(p *prepared, e *encoder) error {
	if p.Task.Kind == Rolling {
		p.convention = fmt.Sprintf("rolling windows of %d tokens, context 1", s.length)
		if p.Task.LeadOnce {
			p.convention += ", BOS not scored"
		}
	}
	for _, item := range p.Items {
		made := preparedItem{Item: item, index: item.Index}
		var err error
		switch p.Task.Kind {
		case Rolling:
			err = s.addDocument(&made, e, p.Task.LeadOnce)
		case Generate:
			err = s.addPrompt(p, &made, e)
		default:
			if p.Task.Length > 0 {
				if err := s.fill(&p.Task, &made.Item, e); err != nil {
					return err
				}
			}
			err = s.addPairs(&made, e)
		}
		if err != nil {
			return fmt.Errorf("item %d: %w", item.Index, err)
		}
		p.items = append(p.items, made)
	}
	return nil
}

// addPairs adds an item's choices. Those that keep the same context tokens become the branches of one sequence; contexts differ where the
// texts do, or where a long choice has pushed out more of it.
func (s *Suite) addPairs(item *preparedItem, e *encoder) error {
	type kept struct {
		text string
		from int
	}
	open := map[kept]int{}
	for i, pair := range item.Pairs {
		context, continuation, err := e.pair(pair)
		if err != nil {
			return fmt.Errorf("choice %d: %w", i, err)
		}
		if len(continuation) > s.length {
			return fmt.Errorf("choice %d: %d tokens: the model takes %d at a time", i, len(continuation), s.length)
		}
		// What goes in is the last length+1 tokens without the last, whose row would predict nothing.
		from := max(0, len(context)+len(continuation)-s.length-1)
		item.truncated = item.truncated || from > 0
		key := kept{pair.Context, from}
		sequence, found := open[key]
		if !found {
			sequence = s.add(context[from:])
			open[key] = sequence
		}
		item.places = append(item.places, []place{s.branch(sequence, continuation)})
	}
	return nil
}

func (s *Suite) addDocument(item *preparedItem, e *encoder, leadOnce bool) error {
	ids, err := e.text(item.Text)
	if err != nil {
		return err
	}
	prefix, err := e.lead()
	if err != nil {
		return err
	}
	if leadOnce && len(ids) > 0 && ids[0] == prefix {
		ids = ids[1:]
	}
	var places []place
	for _, w := range rolling(ids, prefix, s.length) {
		places = append(places, s.branch(s.add(w.context), w.scored))
	}
	if len(places) == 0 {
		return fmt.Errorf("the document has no tokens")
	}
	item.places = [][]place{places}
	return nil
}

func (s *Suite) addChunks(p *prepared, e *encoder) error {
	size := p.Task.Chunk
	if size > s.length && p.Task.Late {
		return tooLong(p.Task.Name, s.length)
	}
	if size > s.length {
		size = s.length
		p.note = fmt.Sprintf("%s was asked for; the model takes %d tokens at a time", p.Task.Name, s.length)
	}
	p.length = size
	p.convention = fmt.Sprintf("chunk-%d", size)
	if p.Task.Half {
		p.convention = fmt.Sprintf("llamacpp-%d", size)
	}
	if p.Task.Late {
		p.convention = p.Task.Name
	}
	text := p.Items[0]
	ids, err := e.text(text.Text)
	if err != nil {
		return err
	}
	bos, _ := e.tokenizer.BOS()
	all := chunks(ids, size, p.Task.Half, bos, e.begins)
	if p.Task.Late {
		all = late(all)
	}
	if len(all) == 0 {
		return fmt.Errorf("%s: %d tokens do not fill one chunk of %d", p.File, len(ids), size)
	}
	for _, i := range p.Limit.choose(len(all)) {
		c := all[i]
		at := s.branch(s.add(c.ids[:c.score]), c.ids[c.score:])
		p.items = append(p.items, preparedItem{index: i, places: [][]place{{at}}})
	}
	return nil
}

// add opens a sequence with a context.
func (s *Suite) add(context []int32) int {
	s.Sequences = append(s.Sequences, engine.Sequence{IDs: context, Silent: true})
	return len(s.Sequences) - 1
}

// branch adds a continuation to a sequence.
func (s *Suite) branch(sequence int, continuation []int32) place {
	target := &s.Sequences[sequence]
	target.Branches = append(target.Branches, continuation)
	s.Tokens += len(continuation)
	return place{sequence, len(target.Branches) - 1}
}
