"""Heals a pruned folder by LoRA: small matrices beside its linear layers are trained on a text by peft, then added to the weights.

    python tools/heal/lora.py small healed --text text.txt --steps 500

The merged folder has the types and names of the one it came from. Nothing is written where the loss on the last tenth of the text, which is not
trained on, does not go down. LoRA is arXiv 2106.09685; docs/heal.md says when it is worth its time.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pruned", help="a folder that avssnative has written")
    parser.add_argument("healed", help="the folder to write; it must not be there")
    parser.add_argument("--text", required=True, help="a .txt of the kind that the model is for")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--length", type=int, default=512, help="tokens a window; at most the model's context")
    parser.add_argument("--rank", type=int, default=16, help="columns of the added matrices")
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate at the start; it falls to 0 in a straight line")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def windows(path, tokenizer, length):
    """The text's tokens, [windows, length]: those to train on, and the last tenth."""
    with open(path, encoding="utf-8") as file:
        tokens = tokenizer(file.read(), add_special_tokens=False, return_tensors="pt", verbose=False).input_ids[0]
    count = len(tokens) // length
    if count < 2:
        sys.exit(f"{path}: {len(tokens)} tokens, want at least two windows of {length}")
    cut = tokens[: count * length].reshape(count, length)
    kept = max(1, count // 10)
    return cut[:-kept], cut[-kept:]


@torch.no_grad()
def loss_on(model, cut, batch):
    """Nats a token."""
    model.eval()
    sums = [model(input_ids=part, labels=part).loss.item() * len(part) for part in cut.split(batch)]
    return sum(sums) / len(cut)


def train(model, cut, o):
    model.train()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=o.rate, weight_decay=0.0)
    order = torch.Generator().manual_seed(o.seed)
    for step in range(o.steps):
        for group in optimizer.param_groups:
            group["lr"] = o.rate * (1 - step / o.steps)
        part = cut[torch.randint(len(cut), (o.batch,), generator=order)]
        loss = model(input_ids=part, labels=part).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print(f"step {step + 1} of {o.steps}: {loss.item():.4f} nats a token", file=sys.stderr)


def main():
    o = read_arguments()
    if os.path.exists(o.healed):
        sys.exit(f"{o.healed} is there already")
    torch.manual_seed(o.seed)
    tokenizer = AutoTokenizer.from_pretrained(o.pruned)
    model = AutoModelForCausalLM.from_pretrained(o.pruned, dtype="auto")
    stored = model.dtype
    length = min(o.length, model.config.get_text_config().max_position_embeddings)
    text, kept = (cut.to(o.device) for cut in windows(o.text, tokenizer, length))
    # Steps as small as those of training are lost in bfloat16.
    model = get_peft_model(model.float().to(o.device), LoraConfig(r=o.rank, lora_alpha=2 * o.rank, target_modules="all-linear"))
    before = loss_on(model, kept, o.batch)
    train(model, text, o)
    merged = model.merge_and_unload()
    # Parameters alone: the angles of the positions are buffers, which no file holds and which rounding would spoil.
    for weight in merged.parameters():
        weight.data = weight.data.to(stored).float()
    after = loss_on(merged, kept, o.batch)
    print(json.dumps({"tokens": text.numel(), "kept_apart": kept.numel(), "steps": o.steps, "loss_before": before, "loss_after": after}))
    if not after < before:
        sys.exit("the loss on the text kept apart did not go down; nothing is written")
    parent = os.path.dirname(os.path.abspath(o.healed))
    unfinished = tempfile.mkdtemp(dir=parent)
    try:
        merged.to(stored).save_pretrained(unfinished)
        # The tokenizer is the dense model's, byte for byte; saving it anew may change its form.
        for name in os.listdir(o.pruned):
            if name.startswith(("tokenizer", "vocab", "merges", "special_tokens", "added_tokens", "chat_template")):
                shutil.copy(os.path.join(o.pruned, name), unfinished)
        os.chmod(unfinished, 0o755)
        for name in os.listdir(unfinished):
            os.chmod(os.path.join(unfinished, name), 0o644)
        os.rename(unfinished, o.healed)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


if __name__ == "__main__":
    main()
