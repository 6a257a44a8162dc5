"""Train a deep, narrow Llama on Small World, TinyStories and SST-2, on a CPU, and write it as a Hugging Face folder.

    demo_model.py --stories stories.txt --sst2 train.tsv --out DIR --minutes 90

Needs torch, transformers, tokenizers. Blocks are skipped at random while training (LayerDrop, Fan et al. 2020, rising with
depth from 0 to --layer-drop), so that the model tolerates a missing block, as deep language models do.
"""
import argparse
import json
import math
import os
import random
import time

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import small_world

END = "<|endoftext|>"


def documents(args, seed):
    """An endless stream of documents: Small World new each time, TinyStories and SST-2 over and over."""
    rng = random.Random(seed)
    stories = [s.strip() for s in open(args.stories).read().split(END)][: args.train_stories]
    rows = [line.rstrip("\n").split("\t") for line in open(args.sst2)]
    reviews = [f"{small_world.qa_context(text, small_world.SENTIMENT_QUESTION)} {'positive' if label == '1' else 'negative'}"
               for text, label in rows]
    while True:
        draw = rng.random()
        if draw < args.share_stories:
            yield rng.choice(stories)
        elif draw < args.share_stories + args.share_sst2:
            yield rng.choice(reviews)
        else:
            yield small_world.train_document(rng)


def train_tokenizer(args):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=args.vocab, special_tokens=[END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    stream = documents(args, "tokenizer")
    tokenizer.train_from_iterator((next(stream) for _ in range(30000)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", pair=f"{END} $A {END} $B",
                                                             special_tokens=[(END, tokenizer.token_to_id(END))])
    return tokenizer


def batches(args, tokenizer, seed):
    """Token rows [batch, length + 1], and the weight of each target: answers count more than the text they are read from."""
    stream = documents(args, seed)
    answer = tokenizer.encode("Answer:", add_special_tokens=False).ids
    newline = tokenizer.encode("\n", add_special_tokens=False).ids[0]
    ids, weights = [], []
    while True:
        while len(ids) < args.batch * (args.length + 1):
            row = tokenizer.encode(next(stream)).ids
            weight, inside = [1.0] * len(row), False
            for i, token in enumerate(row):
                if inside and token == newline:
                    inside = False
                if inside:
                    weight[i] = args.answer_weight
                if row[max(0, i - len(answer) + 1): i + 1] == answer:
                    inside = True
            ids += row
            weights += weight
        cut = args.batch * (args.length + 1)
        yield (torch.tensor(ids[:cut]).view(args.batch, -1), torch.tensor(weights[:cut]).view(args.batch, -1))
        ids, weights = ids[cut:], weights[cut:]


def forward(model, rows, keep):
    core = model.model
    hidden = core.embed_tokens(rows)
    positions = torch.arange(rows.shape[1])[None]
    rotary = core.rotary_emb(hidden, positions)
    for layer, kept in zip(core.layers, keep):
        if kept:
            out = layer(hidden, attention_mask=None, position_ids=positions, position_embeddings=rotary)
            hidden = out[0] if isinstance(out, tuple) else out
    return model.lm_head(core.norm(hidden))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", required=True)
    parser.add_argument("--sst2", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--ffn", type=int, default=352)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--vocab", type=int, default=2048)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--layer-drop", type=float, default=0.2)
    parser.add_argument("--answer-weight", type=float, default=5.0)
    parser.add_argument("--share-stories", type=float, default=0.30)
    parser.add_argument("--share-sst2", type=float, default=0.20)
    parser.add_argument("--train-stories", type=int, default=2100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", help="go on from the weights and the tokenizer of this folder")
    parser.add_argument("--steps", type=int, default=0, help="stop after this many steps (to time one)")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    tokenizer = Tokenizer.from_file(os.path.join(args.start, "tokenizer.json")) if args.start else train_tokenizer(args)
    end = tokenizer.token_to_id(END)
    config = LlamaConfig(vocab_size=args.vocab, hidden_size=args.hidden, intermediate_size=args.ffn, num_hidden_layers=args.layers,
                         num_attention_heads=args.heads, num_key_value_heads=args.kv_heads, max_position_embeddings=512,
                         rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=end, eos_token_id=end,
                         initializer_range=0.02, attn_implementation="sdpa")
    model = LlamaForCausalLM.from_pretrained(args.start, dtype=torch.float32, attn_implementation="sdpa") if args.start else LlamaForCausalLM(config)
    model.train()
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = torch.optim.Muon(matrices, lr=args.rate, momentum=0.95, weight_decay=0.01)
    adam = torch.optim.AdamW(others, lr=args.rate / 4, betas=(0.9, 0.95), weight_decay=0.0)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    for layer in model.model.layers:
        layer.forward = torch.compile(layer.forward, dynamic=False)
    stream = batches(args, tokenizer, f"train-{args.seed}")
    begun, step, shown = time.time(), 0, 0.0
    saved = begun
    while True:
        spent = (time.time() - begun) / 60 / args.minutes
        if spent >= 1 or (args.steps and step >= args.steps):
            break
        factor = min(1, (step + 1) / 100) * min(1, max(0.02, (1 - spent) / 0.4))
        for optimizer, rate in ((muon, args.rate), (adam, args.rate / 4)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        keep = [rng.random() >= args.layer_drop * i / (args.layers - 1) for i in range(args.layers)]
        rows, weights = next(stream)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = forward(model, rows[:, :-1], keep)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
        weight = weights[:, 1:].flatten()
        ((loss * weight).sum() / weight.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in (muon, adam):
            optimizer.step()
            optimizer.zero_grad()
        step += 1
        if time.time() - shown > 20:
            shown = time.time()
            if shown - saved > 600:
                saved = shown
                save(args, model, tokenizer, step)
            told = loss.detach()
            print(f"step {step} min {(shown - begun) / 60:.1f} tokens {step * args.batch * args.length / 1e6:.2f}M "
                  f"loss {told[weight == 1].mean():.3f} answers {told[weight > 1].mean():.3f}", flush=True)
    save(args, model, tokenizer, step)


def save(args, model, tokenizer, step):
    os.makedirs(args.out, exist_ok=True)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END)
    wrapped.save_pretrained(args.out)
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).save_pretrained(args.out)
    with open(os.path.join(args.out, "training.json"), "w") as file:
        settings = {key: value for key, value in vars(args).items() if key not in ("out", "stories", "sst2", "start", "steps")}
        json.dump({**settings, "goes_on": bool(args.start), "step": step, "tokens": step * args.batch * args.length}, file, indent=1)


if __name__ == "__main__":
    main()
