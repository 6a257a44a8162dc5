// Package weights is where tensors lie: files of safetensors and GGUF, mapped and not read, their values decoded from and encoded to the types in
// which they are stored, and the names by which models are found. RegisterSource makes further names known, RegisterFormat files of another kind.
package weights
