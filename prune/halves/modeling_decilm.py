"""A Llama whose layers may lack their attention or their MLP, as configuration_decilm.py describes them, for transformers."""
import torch
from torch import nn
from transformers import LlamaForCausalLM

from .configuration_decilm import DeciLMConfig


class Nothing(nn.Module):
    """A half that adds nothing, in the place of one that gives a result alone or in a tuple."""

    def __init__(self, paired):
        super().__init__()
        self.paired = paired

    def forward(self, hidden_states, **others):
        zeros = torch.zeros_like(hidden_states)
        return (zeros, None) if self.paired else zeros


class DeciLMForCausalLM(LlamaForCausalLM):
    config_class = DeciLMConfig

    def __init__(self, config):
        groups = {block.attention.n_heads_in_group for block in config.block_configs if not block.attention.no_op}
        widths = {block.ffn.intermediate_size for block in config.block_configs if not block.ffn.no_op}
        if len(config.block_configs) != config.num_hidden_layers or len(groups) > 1 or len(widths) > 1:
            raise ValueError("block_configs: want one entry a layer, and layers of one size")
        super().__init__(config)
        cached = 0
        for layer, block in zip(self.model.layers, config.block_configs):
            if block.attention.no_op:
                layer.self_attn, layer.input_layernorm = Nothing(paired=True), nn.Identity()
            else:
                layer.self_attn.layer_idx = cached  # the cache has an entry for each attention there is
                cached += 1
            if block.ffn.no_op:
                layer.mlp, layer.post_attention_layernorm = Nothing(paired=False), nn.Identity()
