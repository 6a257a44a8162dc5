package arch

import (
	"reflect"
	"strconv"
	"strings"

	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Nemotron-NAS in GGUF files: lists say of every block how many heads it has and how wide its MLP is, 0 where it has none. Heads without heads for
// keys are a linear map, stored as attn_output (llama.cpp, src/models/deci.cpp).
func init() {
	registerGGUF("deci", ggufFamily{model: NemotronNAS, layers: decoderLayers, names: llamaNames, neighbours: true, uneven: true,
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			heads := m.blockSizes("attention.head_count", n.blocks, mostHeads)
			kvHeads := m.blockSizes("attention.head_count_kv", n.blocks, mostHeads)
			inner := m.blockSizes("feed_forward_length", n.blocks, device.MaxExtent)
			if m.fault != nil {
				return
			}
			attentionB, mlpB := false, false
			var blocks []any
			for i := range n.layers {
				attention, ffn := map[string]any{"no_op": true}, map[string]any{"no_op": true}
				switch {
				case heads[i] == 0:
				case heads[i] != n.heads:
					m.fail("deci.attention.head_count: %d in one block and %d in block %d, which is not supported", n.heads, heads[i], i)
				case kvHeads[i] == 0:
					attention = map[string]any{"replace_with_linear": true}
				default:
					attention = map[string]any{"n_heads_in_group": heads[i] / kvHeads[i]}
				}
				if inner[i] > 0 {
					ffn = map[string]any{"intermediate_size": inner[i]}
				}
				blocks = append(blocks, map[string]any{"attention": attention, "ffn": ffn})
				attentionB = attentionB || m.stored(blk(i, "attn_q.bias"))
				mlpB = mlpB || m.stored(blk(i, "ffn_up.bias"))
			}
			c["block_configs"], c["attention_bias"], c["mlp_bias"] = blocks, attentionB, mlpB
		},
		made: func(m *ggufMetadata, n ggufShape, s *weights.GGUF) error {
			heads := m.blockSizes("attention.head_count", n.blocks, mostHeads)
			kvHeads := m.blockSizes("attention.head_count_kv", n.blocks, mostHeads)
			for i := range n.layers {
				if attention := strings.Replace(decoderLayers, "%d", strconv.Itoa(i), 1) + "self_attn."; heads[i] > 0 && kvHeads[i] == 0 {
					s.Rename(attention+"o_proj.weight", attention+"linear_attn.weight")
				}
			}
			return nil
		}})
}

// blockSizes reads a whole number a block, or one for all of them.
func (m *ggufMetadata) blockSizes(key string, blocks, most int) []int {
	value, _ := m.raw(key)
	list := reflect.ValueOf(value)
	sizes := make([]int, blocks)
	if list.Kind() == reflect.Slice && list.Len() != blocks {
		m.fail("%s.%s: %d values for %d blocks", m.arch, key, list.Len(), blocks)
		return sizes
	}
	for i := range sizes {
		one := value
		if list.Kind() == reflect.Slice {
			one = list.Index(i).Interface()
		}
		if sizes[i] = m.whole(key, one); sizes[i] > most {
			m.fail("%s.%s: %d, want 0 to %d", m.arch, key, sizes[i], most)
		}
	}
	return sizes
}
