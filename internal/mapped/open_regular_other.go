//go:build !unix

package mapped

// withoutWaiting is nothing where names of files cannot be those of pipes.
const withoutWaiting = 0
