// Package avss scores the layers of a model: how much would be lost without each. Metrics that look at activations are observers of one
// walk of package engine and cost one pass together; metrics that remove layers and measure what is lost take passes of their own.
// The lowest scores go first, or the highest where a metric is defined so.
//
// A metric is one file that calls Register, here or in a module of one's own (docs/adding/metric.md).
//
// Sums over sequences are kept exactly (see Sum) and apart by bucket, a sequence's number modulo Buckets. So a metric's state is the
// same bits however the sequences were split into shards and in whatever order the shards were merged, and the stability of a ranking
// (Kendall's τ between two halves of the sequences, bootstrap intervals) needs no second pass. The error of a score is that of
// float64 sums inside one sequence, nothing between sequences, and one rounding at the end.
package avss
