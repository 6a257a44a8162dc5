package avss

// Citation is a source, for the report's bibliography.
type Citation struct {
	ArXiv   string `json:"arxiv"`
	Authors string `json:"authors"`
	Year    int    `json:"year"`
	Title   string `json:"title"`
}

var (
	avssPaper  = Citation{"2411.02117", "Song et al.", 2024, "AVSS: Layer Importance Evaluation in Large Language Models via Activation Variance-Sparsity Analysis"}
	shortGPT   = Citation{"2403.03853", "Men et al.", 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect"}
	subcloning = Citation{"2312.09299", "Samragh et al.", 2023,
		"Weight subcloning: direct initialization of transformers using larger pretrained ones"}
	deeperLayers = Citation{"2403.17887", "Gromov et al.", 2024, "The Unreasonable Ineffectiveness of the Deeper Layers"}
	shortened    = Citation{"2402.02834", "Kim et al.", 2024, "Shortened LLaMA: Depth Pruning for Large Language Models with Comparison of Retraining Methods"}
	sleb         = Citation{"2402.09025", "Song et al.", 2024, "SLEB: Streamlining LLMs through Redundancy Verification and Elimination of Transformer Blocks"}
	evoPress     = Citation{"2410.14649", "Sieberling et al.", 2024, "EvoPress: Accurate Dynamic Model Compression via Evolutionary Search"}
)
