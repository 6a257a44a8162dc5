"""A Nemotron-NAS (DeciLM) model written out plainly in float64: no family of transformers, so its reference is computed here.

    decilm.py OUT       writes OUT/nemotron-nas, as architectures.py writes the other families

A Llama of which block_configs gives every layer its own shape (nvidia/Llama-3_1-Nemotron-51B-Instruct, modeling_decilm.py): the first
layer has both halves, the second no attention and an MLP whose width follows from ffn_mult, the third fewer keys and values and no MLP.
Needs torch and safetensors.
"""
import json
import math
import os
import sys

import torch
from safetensors.torch import save_file

HIDDEN, HEADS, VOCAB, EPSILON = 32, 4, 97, 1e-5
DIM = HIDDEN // HEADS
BLOCKS = [
    {"attention": {"n_heads_in_group": 2, "no_op": False, "replace_with_linear": False, "window_length": None},
     "ffn": {"intermediate_size": 48, "no_op": False, "replace_with_linear": False}},
    {"attention": {"n_heads_in_group": None, "no_op": True, "replace_with_linear": False, "window_length": None},
     "ffn": {"ffn_mult": 1.3, "no_op": False, "replace_with_linear": False}},
    {"attention": {"n_heads_in_group": 4, "no_op": False, "replace_with_linear": False, "window_length": None},
     "ffn": {"ffn_mult": None, "no_op": True, "replace_with_linear": False}},
]


def width(ffn):
    """An MLP's columns: named, or 2/3 of a multiple of the hidden size rounded up to whole 256."""
    return ffn.get("intermediate_size") or -(-int(2 * ffn["ffn_mult"] * HIDDEN / 3) // 256) * 256


def draw(generator):
    """The weights in bfloat16 and three sequences."""
    def random(*shape):
        return (torch.randn(*shape, generator=generator) / shape[-1] ** 0.5).bfloat16()

    def scale():
        return (1 + 0.2 * torch.randn(HIDDEN, generator=generator)).bfloat16()

    weights = {"model.embed_tokens.weight": random(VOCAB, HIDDEN), "model.norm.weight": scale(), "lm_head.weight": random(VOCAB, HIDDEN)}
    for layer, block in enumerate(BLOCKS):
        name, attention, ffn = f"model.layers.{layer}.", block["attention"], block["ffn"]
        if not attention["no_op"]:
            keys = HEADS // attention["n_heads_in_group"] * DIM
            weights |= {name + "input_layernorm.weight": scale(), name + "self_attn.q_proj.weight": random(HIDDEN, HIDDEN),
                        name + "self_attn.k_proj.weight": random(keys, HIDDEN), name + "self_attn.v_proj.weight": random(keys, HIDDEN),
                        name + "self_attn.o_proj.weight": random(HIDDEN, HIDDEN)}
        if not ffn["no_op"]:
            weights |= {name + "post_attention_layernorm.weight": scale(), name + "mlp.gate_proj.weight": random(width(ffn), HIDDEN),
                        name + "mlp.up_proj.weight": random(width(ffn), HIDDEN), name + "mlp.down_proj.weight": random(HIDDEN, width(ffn))}
    return weights, [torch.randint(3, VOCAB, (count,), generator=generator).tolist() for count in (1, 7, 23)]


def norm(x, weight):
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt() * weight


def rotate(x, position):
    """One head of one token."""
    y, half = x.clone(), DIM // 2
    for j in range(half):
        angle = position * 10000.0 ** (-2 * j / DIM)
        cosine, sine = math.cos(angle), math.sin(angle)
        y[j] = x[j] * cosine - x[j + half] * sine
        y[j + half] = x[j + half] * cosine + x[j] * sine
    return y


def attend(q, k, v, group):
    count = len(q)
    out = torch.zeros(count, HIDDEN, dtype=torch.float64)
    for head in range(HEADS):
        own, shared = slice(head * DIM, (head + 1) * DIM), slice(head // group * DIM, (head // group + 1) * DIM)
        queries = torch.stack([rotate(q[t, own], t) for t in range(count)])
        keys = torch.stack([rotate(k[t, shared], t) for t in range(count)])
        for t in range(count):
            scores = torch.softmax(keys[:t + 1] @ queries[t] / math.sqrt(DIM), 0)
            out[t, own] = scores @ v[:t + 1, shared]
    return out


def trace(weights, sequences):
    weights = {name: value.double() for name, value in weights.items()}
    out = {}
    for index, ids in enumerate(sequences):
        x = weights["model.embed_tokens.weight"][ids]
        out[f"{index}.embed"] = x
        for layer, block in enumerate(BLOCKS):
            def of(name):
                return weights[f"model.layers.{layer}.{name}.weight"]

            if not block["attention"]["no_op"]:
                normed = norm(x, of("input_layernorm"))
                q, k, v = (normed @ of(f"self_attn.{kind}_proj").T for kind in "qkv")
                x = x + attend(q, k, v, block["attention"]["n_heads_in_group"]) @ of("self_attn.o_proj").T
            if not block["ffn"]["no_op"]:
                normed = norm(x, of("post_attention_layernorm"))
                gate = normed @ of("mlp.gate_proj").T
                x = x + (gate * torch.sigmoid(gate) * (normed @ of("mlp.up_proj").T)) @ of("mlp.down_proj").T
            out[f"{index}.block.{layer}"] = x
        out[f"{index}.logits"] = norm(x, weights["model.norm.weight"]) @ weights["lm_head.weight"].T
    return {name: value.float().contiguous() for name, value in out.items()}


def main():
    torch.set_num_threads(1)
    folder = os.path.join(sys.argv[1], "nemotron-nas")
    os.makedirs(folder, exist_ok=True)
    weights, sequences = draw(torch.Generator().manual_seed(13))
    save_file(weights, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    save_file(trace(weights, sequences), os.path.join(folder, "reference.safetensors"))
    with open(os.path.join(folder, "inputs.json"), "w") as file:
        json.dump({"sequences": sequences}, file)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(dict(architectures=["DeciLMForCausalLM"], model_type="nemotron-nas", block_configs=BLOCKS, hidden_act="silu",
                       hidden_size=HIDDEN, intermediate_size=None, num_attention_heads=HEADS, num_key_value_heads=None,
                       num_hidden_layers=len(BLOCKS), max_position_embeddings=64, rms_norm_eps=EPSILON, rope_theta=10000.0,
                       tie_word_embeddings=False, torch_dtype="bfloat16", vocab_size=VOCAB), file, indent=2)


if __name__ == "__main__":
    main()
