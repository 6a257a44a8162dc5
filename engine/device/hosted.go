package device

// Hosted is what a Device may say beyond Device: that it computes in the process's own memory, so that its tensors, the weights mapped and the
// program itself share what the process may hold.
type Hosted interface {
	// Trim gives back what is kept for later: freed tensors and scratch.
	Trim()
	// Scratch is how many bytes operations on so many rows take beside their tensors, where the inputs of products have at most so many columns.
	Scratch(rows, cols int) int64
}
