package prune

// What a caller asked for and cannot have.

// Asked is which of a caller's wishes a Refused is about.
type Asked string

const (
	AskedRule       Asked = "drop"         // how many layers go, or which
	AskedMass       Asked = "drop by mass" // a share of the scores' sum
	AskedProtection Asked = "protect"      // layers that stay whatever their scores
	AskedFormat     Asked = "format"       // of the written model
)

// Refused is a wish that cannot be met, whatever the scores or because of them: which one, as it was given, and why.
type Refused struct {
	Asked Asked
	Given string // as it was asked for; may be empty
	Why   string
}

func (r *Refused) Error() string {
	text := "prune: " + string(r.Asked)
	if r.Given != "" {
		text += " " + r.Given
	}
	return text + ": " + r.Why
}
