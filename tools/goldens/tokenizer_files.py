"""Train one small tokenizer of every kind that open models use, and write what the reference library encodes and decodes.

    tokenizer_files.py --out DIR [--vocabularies DIR] [--trained DIR] [--seed 0]

DIR/NAME/tokenizer.json.gz is ours; --vocabularies adds the cases of real tokenizer.json files found there (ids only).
DIR/NAME/cases.json.gz: [{"text", "ids" (no special tokens added), "special" (with them), "decoded"}]. Needs tokenizers.

The trainers of WordPiece and Unigram break ties by the order of a hash map, so two runs give two vocabularies. --trained takes the tokenizers
of an earlier run instead of training: their cases are the same every time.
"""
import argparse
import glob
import gzip
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import small_world

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS = ["Straße", "naïve", "café", "ﬁn", "Ω", "été", "한국어", "日本語", "русский",
         "עברית", "हिन्दी", "👩‍👩‍👧", "🇫🇷", "ſ", "İ", "ǆ", "½", "²", "٣"]
PIECES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\t\t", "\u00a0", "\u2028", "\u0085", "\u200b", "\u000b", "\u3000",
          "'s", "'LL", "'t", "’s", "don't", "I'VE", "123",
          "1234567", "3.14", "a1b2", "_", "__init__", "x==y", "...", "?!", "—", "\"", "``", "e\u0301",
          "<s>", "</s>", "<|endoftext|>", "[CLS]", "[MASK]", "<unk>", "def f(x):\n    return x",
          "https://a.b/c?d=e", "\u0301", "\ufeff", "\x00", "\x7f"]


def corpus():
    rng = random.Random("tokenizer corpus")
    return [small_world.train_document(rng) for _ in range(3000)] + WORDS * 20


def texts(seed):
    rng = random.Random(f"tokenizer cases {seed}")
    out = ["", " ", "a", " a", "a ", "\n", "Hello world", " Hello  world ", "line one\nline two\n\n\tline three"] + WORDS + PIECES
    stories = [small_world.train_document(rng) for _ in range(20)]
    out += stories
    ranges = [(32, 126), (32, 126), (160, 591), (768, 879), (880, 1279), (1424, 1791), (2304, 2431), (8192, 8303), (12352, 12543), (19968, 20223),
              (44032, 44287), (64256, 64335), (65281, 65374), (128512, 128591)]
    for _ in range(150):
        text = ""
        for _ in range(rng.randint(1, 14)):
            move = rng.random()
            if move < 0.35:
                text += rng.choice(PIECES)
            elif move < 0.55:
                text += rng.choice(WORDS)
            elif move < 0.75:
                text += rng.choice(rng.choice(stories).split())
            else:
                low, high = rng.choice(ranges)
                text += "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 5)))
            if rng.random() < 0.4:
                text += " "
        out.append(text)
    return out


def byte_level(pattern=None, normalizer=None, start=None, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pattern:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<s>", "</s>"]
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if start:
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single=f"{start} $A", pair=f"{start} $A {start} $B", special_tokens=[(start, tokenizer.token_to_id(start))])])
    return tokenizer


def sentencepiece_like(kind, legacy):
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True) if kind == "bpe" else models.Unigram())
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=kind == "unigram")
    if kind == "bpe":
        trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False)
        learn = Tokenizer(models.BPE(unk_token="<unk>"))
        learn.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        learn.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        learn.train_from_iterator(corpus(), trainer)
        state = json.loads(learn.to_str())["model"]
        tokenizer.model = models.BPE(vocab=state["vocab"], merges=[tuple(m) for m in state["merges"]],
                                     unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    else:
        tokenizer.train_from_iterator(corpus(),
                                        trainers.UnigramTrainer(vocab_size=600, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>",
                                                                 show_progress=False))
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                                             special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=700, show_progress=False,
                                                                               special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[
        ("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))])
    return tokenizer


KINDS = {
    "gpt2": lambda: byte_level(),
    "llama3": lambda: byte_level(LLAMA3, start="<s>", ignore_merges=True),
    "qwen2": lambda: byte_level(QWEN2, normalizers.NFC()),
    "llama2-legacy": lambda: sentencepiece_like("bpe", True),
    "llama2-metaspace": lambda: sentencepiece_like("bpe", False),
    "unigram": lambda: sentencepiece_like("unigram", False),
    "bert": word_piece,
}


def cases(tokenizer, seed):
    out = []
    for text in texts(seed):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "ids": ids, "special": tokenizer.encode(text).ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    return out


def earlier(folder, name):
    with gzip.open(os.path.join(folder, name, "tokenizer.json.gz"), "rt") as file:
        return Tokenizer.from_str(file.read())


def write(path, text):
    with open(path, "wb") as file:
        file.write(gzip.compress(text.encode(), 9, mtime=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--vocabularies")
    parser.add_argument("--trained")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    made = {name: earlier(args.trained, name) if args.trained else make() for name, make in KINDS.items()}
    for path in sorted(glob.glob(os.path.join(args.vocabularies or "", "*", "tokenizer.json"))) if args.vocabularies else []:
        made["real-" + os.path.basename(os.path.dirname(path))] = Tokenizer.from_file(path)
    for name, tokenizer in made.items():
        folder = os.path.join(args.out, name)
        os.makedirs(folder, exist_ok=True)
        if not name.startswith("real-") and not args.trained:
            write(os.path.join(folder, "tokenizer.json.gz"), tokenizer.to_str())
        found = cases(tokenizer, args.seed)
        write(os.path.join(folder, "cases.json.gz"), json.dumps(found))
        print(name, tokenizer.get_vocab_size(), len(found), sum(len(c["ids"]) for c in found))


if __name__ == "__main__":
    main()
