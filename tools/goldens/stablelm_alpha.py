"""StableLM-Base-Alpha v2 written out plainly in float64, token by token: no family of transformers, so its reference is computed here.

    stablelm_alpha.py OUT       writes OUT/stablelm-alpha, as architectures.py writes the other families

The model's own code was published with its weights (StabilityAI, stablelm-base-alpha-3b-v2): a fused query, key and value row a head, half of
a head rotated, attention and a gated MLP side by side on one layer norm. Needs torch and safetensors.
"""
import json
import math
import os
import sys

import torch
from safetensors.torch import save_file

HIDDEN, HEADS, VOCAB, LAYERS, INNER, EPSILON = 32, 4, 97, 3, 256, 1e-8
DIM = HIDDEN // HEADS
ROTATED = DIM // 2


def draw(generator):
    """The weights in bfloat16 and three sequences."""
    def random(*shape):
        return (torch.randn(*shape, generator=generator) / (shape[-1] ** 0.5 if len(shape) > 1 else 5)).bfloat16()

    def scale():
        return (1 + random(HIDDEN).float()).bfloat16()

    weights = {"transformer.embed.weight": random(VOCAB, HIDDEN), "transformer.final_norm.weight": scale(),
               "transformer.final_norm.bias": random(HIDDEN), "lm_head.weight": random(VOCAB, HIDDEN)}
    for layer in range(LAYERS):
        name = f"transformer.layers.{layer}."
        weights |= {name + "norm.weight": scale(), name + "norm.bias": random(HIDDEN),
                    name + "attention.qkv_proj.weight": random(3 * HIDDEN, HIDDEN), name + "attention.out_proj.weight": random(HIDDEN, HIDDEN),
                    name + "mlp.gate_proj.weight": random(2 * INNER, HIDDEN), name + "mlp.out_proj.weight": random(HIDDEN, INNER),
                    name + "attention.rotary_emb.inv_freq": torch.zeros(ROTATED // 2)}
    return weights, [torch.randint(3, VOCAB, (count,), generator=generator).tolist() for count in (1, 7, 23)]


def norm(x, weights, name):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt() * weights[name + ".weight"] + weights[name + ".bias"]


def rotate(x, position):
    """One head of one token."""
    y, half = x.clone(), ROTATED // 2
    for j in range(half):
        angle = position * 10000.0 ** (-2 * j / ROTATED)
        cosine, sine = math.cos(angle), math.sin(angle)
        y[j] = x[j] * cosine - x[j + half] * sine
        y[j + half] = x[j + half] * cosine + x[j] * sine
    return y


def attend(qkv, count):
    out = torch.zeros(count, HIDDEN, dtype=torch.float64)
    for head in range(HEADS):
        at = head * 3 * DIM
        queries = torch.stack([rotate(qkv[t, at:at + DIM], t) for t in range(count)])
        keys = torch.stack([rotate(qkv[t, at + DIM:at + 2 * DIM], t) for t in range(count)])
        values = qkv[:, at + 2 * DIM:at + 3 * DIM]
        for t in range(count):
            scores = torch.softmax(keys[:t + 1] @ queries[t] / math.sqrt(DIM), 0)
            out[t, head * DIM:(head + 1) * DIM] = scores @ values[:t + 1]
    return out


def trace(weights, sequences):
    weights = {name: value.double() for name, value in weights.items()}
    out = {}
    for index, ids in enumerate(sequences):
        x = weights["transformer.embed.weight"][ids]
        out[f"{index}.embed"] = x
        for layer in range(LAYERS):
            name = f"transformer.layers.{layer}."
            normed = norm(x, weights, name + "norm")
            attended = attend(normed @ weights[name + "attention.qkv_proj.weight"].T, len(ids))
            inner = normed @ weights[name + "mlp.gate_proj.weight"].T
            up, gate = inner[:, :INNER], inner[:, INNER:]
            x = (x + attended @ weights[name + "attention.out_proj.weight"].T
                 + (up * gate * torch.sigmoid(gate)) @ weights[name + "mlp.out_proj.weight"].T)
            out[f"{index}.block.{layer}"] = x
        out[f"{index}.logits"] = norm(x, weights, "transformer.final_norm") @ weights["lm_head.weight"].T
    return {name: value.float().contiguous() for name, value in out.items()}


def main():
    torch.set_num_threads(1)
    folder = os.path.join(sys.argv[1], "stablelm-alpha")
    os.makedirs(folder, exist_ok=True)
    weights, sequences = draw(torch.Generator().manual_seed(11))
    save_file(weights, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    save_file(trace(weights, sequences), os.path.join(folder, "reference.safetensors"))
    with open(os.path.join(folder, "inputs.json"), "w") as file:
        json.dump({"sequences": sequences}, file)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(dict(architectures=["StableLMAlphaForCausalLM"], model_type="stablelm_alpha", hidden_act="silu", hidden_size=HIDDEN,
                       num_heads=HEADS, num_hidden_layers=LAYERS, max_position_embeddings=64, norm_eps=EPSILON, rotary_pct=0.5,
                       rotary_emb_base=10000, tie_word_embeddings=False, torch_dtype="bfloat16", vocab_size=VOCAB), file, indent=2)


if __name__ == "__main__":
    main()
