// Package arch says what a model is: a Spec of shapes, norms, positions, mixers and MLPs, and the names of all stored tensors, as data. A family of
// architectures is one file that reads a config.json (or a GGUF file's metadata) into a Spec and calls Register, here or in a module of one's own
// (docs/adding/architecture.md). Nothing of a model's weights is read for that.
package arch
