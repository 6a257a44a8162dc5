"""Lets llama.cpp go on with texts greedily, by its cache and by reading everything anew for each token.

Reads one line of JSON on stdin, {"path": ..., "prompt": [ids], "tokens": n, "texts": [text]}, and writes one, {"cached": [ids], "whole": [ids],
"tokens": [[ids]]}: what it says, and what it makes of the texts.
"""
import json
import sys

import llama_cpp

asked = json.load(sys.stdin)
prompt, tokens = asked["prompt"], asked["tokens"]
longest = len(prompt) + tokens
model = llama_cpp.Llama(asked["path"], n_ctx=longest, n_batch=longest, n_threads=2, logits_all=True, verbose=False, type_k=0, type_v=0)


def likeliest():
    return int(model.scores[model.n_tokens - 1].argmax())


model.reset()
model.eval(prompt)
cached = [likeliest()]
while len(cached) < tokens:
    model.eval(cached[-1:])
    cached.append(likeliest())
whole = []
for n in range(tokens):  # on the same way, so that one near tie is one difference
    model.reset()
    model.eval(prompt + cached[:n])
    whole.append(likeliest())
texts = [model.tokenize(text.encode(), add_bos=False, special=True) for text in asked["texts"]]
json.dump({"cached": cached, "whole": whole, "tokens": texts}, sys.stdout)
