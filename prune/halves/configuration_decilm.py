"""The configuration of a Llama whose layers may lack their attention or their MLP (model_type nemotron-nas).

block_configs has an entry a layer: attention.no_op or ffn.no_op is true where the layer lacks that half; attention.n_heads_in_group is how
many heads share keys and values, ffn.intermediate_size how wide the MLP is.
"""
from transformers import LlamaConfig


class Entry(dict):
    """A part of block_configs, whose keys are attributes too."""

    def __init__(self, values=()):
        super().__init__({key: Entry(value) if isinstance(value, dict) else value for key, value in dict(values).items()})

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class DeciLMConfig(LlamaConfig):
    model_type = "nemotron-nas"

    def __init__(self, block_configs=None, **others):
        super().__init__(**others)
        self.block_configs = [Entry(block) for block in block_configs or ()]
