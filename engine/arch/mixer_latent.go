package arch

// LatentSpec is multi-head latent attention (arXiv 2405.04434, section 2.1): keys and values are made from a narrow latent row, queries
// perhaps too; a part of every head rotates, and its keys are one row for all heads.
type LatentSpec struct {
	QDown  Linear   // hidden → query rank; empty: queries are made from the block's input
	QNorm  NormSpec // on the query's latent row
	Q      Linear   // → heads·(Still+Rotated)
	KVDown Linear   // hidden → Rank+Rotated: the latent row, then the rotated key
	KVNorm NormSpec // on the latent row
	K, V   Linear   // Rank → heads·Still, heads·Value; empty where files keep KHeads and VHeads
	O      Linear

	// KHeads are Still → Rank, a head: what turns its queries so that the latent row itself is their key. VHeads are Rank → Value, a head.
	KHeads, VHeads []Linear

	Heads, Still, Rotated, Value, Rank int
	Scale                              float32
	Rope                               *Rotary // over Rotated columns
}

func (a *LatentSpec) Refs(visit func(*Ref)) {
	for _, l := range []*Linear{&a.QDown, &a.Q, &a.KVDown, &a.K, &a.V, &a.O} {
		l.Refs(visit)
	}
	for h := range a.KHeads {
		a.KHeads[h].Refs(visit)
		a.VHeads[h].Refs(visit)
	}
	a.QNorm.Refs(visit)
	a.KVNorm.Refs(visit)
}
