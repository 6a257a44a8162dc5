package device

// Keeper is what a Device with memory of its own may say beyond Device: that it keeps weights for the next pass, which would otherwise come over
// the bus again, for as long as nothing else needs their memory.
type Keeper interface {
	// Keep is Release of a matrix that may be wanted again. The bytes it was made of must stay readable, and what they are, while the device is open.
	Keep(m Matrix)
	// Regain says whether a matrix given to Keep is still there; it is then what it was before. Otherwise it has been released.
	Regain(m Matrix) bool
	// Kept says the same and leaves it where it is.
	Kept(m Matrix) bool
}

// Queue is what a Device may say beyond Device: that its operations run later than their calls, so that every Sync costs the time in which nothing
// is queued.
type Queue interface {
	// Failed is the failure that Sync will return, as far as it is known without waiting. It clears nothing.
	Failed() error
}
