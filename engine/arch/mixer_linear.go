package arch

// LinearSpec stands in the place of an attention: one linear map of the block's normed input, in which no token sees another (NBL, arXiv
// 2505.21077; DeciLM's replace_with_linear, llama.cpp's src/models/deci.cpp). It keeps nothing of earlier tokens.
type LinearSpec struct {
	O Linear // hidden → hidden
}

func (s *LinearSpec) Refs(visit func(*Ref)) { s.O.Refs(visit) }
