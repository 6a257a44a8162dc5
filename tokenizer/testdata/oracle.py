"""Answers questions about tokenizers with the tokenizers library: a JSON list on standard input, a JSON list on standard output."""
import json
import sys

from tokenizers import Tokenizer


def answer(question):
    tokenizer = Tokenizer.from_str(json.dumps(question["tokenizer"]))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts, mode = question["texts"], question["mode"]
    if mode == "normal":
        return [tokenizer.normalizer.normalize_str(text) for text in texts]
    if mode == "words":
        return [[word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)] for text in texts]
    if mode == "offsets":
        return [[list(span) for span in tokenizer.encode(text, add_special_tokens=False).offsets] for text in texts]
    if mode == "decoded":
        return [tokenizer.decoder.decode(json.loads(text)) for text in texts]
    out = []
    for text in texts:
        try:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
        except BaseException:  # the library panics where stripped tokens overlap
            out.append(None)
            continue
        special = tokenizer.encode(text, add_special_tokens=True).ids
        decoded = tokenizer.decode(special, skip_special_tokens=False)
        plain = tokenizer.decode(special, skip_special_tokens=True)
        out.append({"ids": ids, "special": special, "decoded": decoded, "plain": plain})
    return out


questions = json.loads(sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(json.dumps([answer(question) for question in questions]).encode())
