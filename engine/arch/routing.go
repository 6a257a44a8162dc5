package arch

// RoutingScore says how a router's logits become weights.
type RoutingScore uint8

const (
	SoftmaxAll   RoutingScore = iota // softmax over all experts, the largest chosen
	SoftmaxTop                       // the largest logits chosen, softmax over them
	SigmoidScore                     // σ of every logit, the largest chosen (arXiv 2412.19437)
	SparseMixer                      // Phi-3.5-MoE's: one after the other, each weighed against those near it (arXiv 2310.00811)
)

// Routing is the rule by which a family chooses experts and weighs them.
type Routing struct {
	Score             RoutingScore
	Top               int     // experts a token
	Groups, TopGroups int     // experts stand in groups, only the best of which are chosen from; Groups 0 or 1: no groups
	GroupPair         bool    // a group counts by the sum of its two best scores, not by its best
	Normalise         bool    // the chosen weights are divided by their sum
	Scale             float64 // of the weights; 0 means 1
	Jitter            float64 // SparseMixer: how near is near
	OnInput           bool    // weights multiply what enters an expert, not what leaves it
}
