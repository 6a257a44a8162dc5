// Package engine walks token sequences through a transformer layer by layer, once: every weight is read a single time a pass whatever the
// number of tokens, every layer is measured on the way, and any number of pruned models (variants, sets of units left out) are judged
// in the same walk, sharing the work of their common first layers.
//
// A Model is opened from files; a Device computes; a Pass says which sequences, variants, observers and scores; Model.Run does it.
package engine
