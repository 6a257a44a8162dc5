package arch

// Layers that predict further tokens (multi-token prediction, arXiv 2412.19437, section 2.2) are stored behind the last layer under the next
// numbers (DeepSeek-V3, GLM-4.5), or under a prefix of their own (Qwen3-Next's "mtp."). No next token depends on them: they are carried along,
// not computed, and what the configuration counts as layers does not count them.

// furtherKeys are the keys under which configurations keep how many there are.
const furtherKeys = "num_nextn_predict_layers|num_mtp_layers"

const furtherPrefix = "mtp."

// furtherOr is their number, or the family's default.
func (b *Builder) furtherOr(otherwise int) int { return b.IntOr(furtherKeys, otherwise) }
