"""Compute every importance metric on a Llama-layout model, slowly and plainly, in float64.

    metrics.py --model DIR --text stories.txt --out FILE.json [--sequences 12] [--tokens 96] [--batch 8]

Sequences are run one at a time, without padding. The output holds the token ids, so no tokenizer stands between this file
and what it is compared with. "reference" follows the published AVSS code's arithmetic for its per-layer numbers: mean over
the sequence, unbiased variance over hidden, mean over the sequences of a batch, mean over batches.
"""
import argparse
import json
import math

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

EPSILONS = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
RELATIVE = 1e-2


def run(model, ids, dropped=(), keep=None):
    """Logits of one sequence with some blocks skipped; keep collects each block's tensors."""
    core = model.model
    rows = torch.tensor([ids])
    hidden = core.embed_tokens(rows)
    positions = torch.arange(len(ids))[None]
    rotary = core.rotary_emb(hidden, positions)
    mask = torch.full((len(ids), len(ids)), float("-inf"), dtype=torch.float64).triu(1)[None, None]
    for index, layer in enumerate(core.layers):
        if index in dropped:
            continue
        entering = hidden
        normed = layer.input_layernorm(hidden)
        attn = layer.self_attn(hidden_states=normed, position_embeddings=rotary, attention_mask=mask)[0]
        middle = hidden + attn
        normed = layer.post_attention_layernorm(middle)
        act = layer.mlp.act_fn(layer.mlp.gate_proj(normed)) * layer.mlp.up_proj(normed)
        mlp = layer.mlp.down_proj(act)
        hidden = middle + mlp
        if keep is not None:
            keep.append({"x": entering[0], "block": hidden[0], "delta": (hidden - entering)[0], "attn": attn[0], "mlp": mlp[0], "act": act[0]})
    return model.lm_head(core.norm(hidden))[0]


def nll(logits, ids):
    return functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="sum").item()


def summary(values, scale):
    """Moments of values, and of values / scale: scale is the block's output residual's RMS at that token (for act: its own)."""
    flat = values.flatten()
    mean = flat.mean()
    centred = flat - mean
    n = flat.numel()
    relative = (values / scale).flatten()
    near = int((relative.abs() < RELATIVE).sum())
    variance = centred.pow(2).mean()
    relative_variance = (relative - relative.mean()).pow(2).mean().item()
    relative_sparsity = (near + 0.5) / (n + 1)
    return {"n": n, "mean": mean.item(), "variance": variance.item(), "min": flat.min().item(), "max": flat.max().item(),
            "rms": flat.pow(2).mean().sqrt().item(), "mean_abs": flat.abs().mean().item(),
            "kurtosis": (centred.pow(4).mean() / variance ** 2).item(),
            "below": [int((flat.abs() < e).sum()) for e in EPSILONS], "relative_variance": relative_variance, "relative_near": near,
            "relative_sparsity": relative_sparsity, "avss_robust": relative_variance / relative_sparsity}


def angle(x, y):
    return (torch.arccos(functional.cosine_similarity(x, y, dim=-1, eps=0).clamp(-1, 1)) / math.pi).mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--skip", type=int, default=2100)
    parser.add_argument("--out", required=True)
    parser.add_argument("--sequences", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float64, attn_implementation="eager").eval()
    stories = open(args.text).read().split("<|endoftext|>")[args.skip:]
    texts = [story.strip() for story in stories][:args.sequences]
    sequences = [tokenizer(text).ids if hasattr(tokenizer(text), "ids") else tokenizer(text)["input_ids"] for text in texts]
    start = model.config.bos_token_id
    sequences = [(ids if ids[0] == start else [start] + ids)[:args.tokens] for ids in sequences]
    layers = len(model.model.layers)
    kept = []
    full_logits = []
    for ids in sequences:
        one = []
        full_logits.append(run(model, ids, keep=one))
        kept.append(one)
    theirs = model(torch.tensor([sequences[0]])).logits[0]
    assert (theirs - full_logits[0]).abs().max() < 1e-9, "this forward differs from transformers' own"
    out = {"sequences": sequences, "epsilons": EPSILONS, "epsilon_relative": RELATIVE, "batch": args.batch, "sites": {}, "layers": layers}
    for site in ("block", "delta", "attn", "mlp", "act"):
        per_layer = []
        for layer in range(layers):
            values = torch.cat([one[layer][site] for one in kept])
            stream = values if site == "act" else torch.cat([one[layer]["block"] for one in kept])
            row = summary(values, stream.pow(2).mean(-1, keepdim=True).sqrt())
            pooled = [one[layer][site].mean(0).var(unbiased=True).item() for one in kept]
            near = [(one[layer][site].abs() < 1e-5).double().mean().item() for one in kept]
            groups = range(0, len(pooled), args.batch)
            row["reference_variance"] = sum(sum(pooled[g:g + args.batch]) / len(pooled[g:g + args.batch]) for g in groups) / len(groups)
            row["reference_sparsity"] = sum(sum(near[g:g + args.batch]) / len(near[g:g + args.batch]) for g in groups) / len(groups)
            per_layer.append(row)
        out["sites"][site] = per_layer
    stack = [{"x": torch.cat([one[l]["x"] for one in kept]), "y": torch.cat([one[l]["block"] for one in kept])} for l in range(layers)]
    out["bi"] = [1 - functional.cosine_similarity(s["x"], s["y"], dim=-1, eps=0).mean().item() for s in stack]
    out["relmag"] = [((s["y"] - s["x"]).norm(dim=-1) / s["y"].norm(dim=-1)).mean().item() for s in stack]
    out["l2"] = [(s["y"] - s["x"]).norm(dim=-1).mean().item() for s in stack]
    residual = [torch.stack([one[0]["x"][-1] for one in kept])] + [torch.stack([one[l]["block"][-1] for one in kept]) for l in range(layers)]
    out["angular"] = [[None if end <= begin else angle(residual[begin], residual[end]) for end in range(layers + 1)] for begin in range(layers)]
    tokens = sum(len(ids) - 1 for ids in sequences)
    total = sum(nll(logits, ids) for logits, ids in zip(full_logits, sequences))
    out["nll_tokens"], out["nll"] = tokens, total / tokens

    def without(dropped):
        loss, divergence, same = 0.0, 0.0, 0
        for ids, full in zip(sequences, full_logits):
            logits = run(model, ids, dropped)
            loss += nll(logits, ids)
            p, q = full[:-1].log_softmax(-1), logits[:-1].log_softmax(-1)
            divergence += (p.exp() * (p - q)).sum().item()
            same += int((p.argmax(-1) == q.argmax(-1)).sum())
        return loss / tokens, divergence / tokens, same / tokens

    single = [without({layer}) for layer in range(layers)]
    out["removal_nll"] = [s[0] for s in single]
    out["removal_kl"] = [s[1] for s in single]
    out["removal_same_top"] = [s[2] for s in single]
    gone, order, losses = set(), [], []
    while len(gone) < max(1, layers // 2):
        best = min((without(gone | {layer})[0], layer) for layer in range(layers) if layer not in gone)
        losses.append(best[0])
        order.append(best[1])
        gone.add(best[1])
    out["greedy"], out["greedy_nll"] = order, losses
    with open(args.out, "w") as file:
        json.dump(out, file)
    print("nll", round(out["nll"], 4), "bi", [round(v, 4) for v in out["bi"]], "removal", [round(v, 3) for v in out["removal_nll"]],
          "greedy", order, [round(v, 3) for v in losses])
    print("AVSS robust (delta)", [round(r["avss_robust"], 3) for r in out["sites"]["delta"]])
    print("AVSS (block, 1e-5)", [round(r["variance"] / (r["below"][0] / r["n"]), 1) if r["below"][0] else "inf" for r in out["sites"]["block"]])


if __name__ == "__main__":
    main()
