package tokenizer

// BOS says whether a text begins with the beginning-of-sequence token. It changes figures by more than most pruning does, so that what reads
// texts asks for it, and what judges them names it in every result.
type BOS string

const (
	BOSAuto BOS = "auto" // what the tokenizer does by itself; the zero value means the same
	BOSYes  BOS = "yes"  // always
	BOSNo   BOS = "no"   // never, nor any other special token
)
