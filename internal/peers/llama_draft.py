"""Lets llama.cpp continue prompts greedily with a GGUF model alone, and with a draft that proposes tokens which the model reads in one batch.

Reads one line of JSON on stdin, {"model", "draft": paths, "prompts": [[ids]], "tokens": new ones, "ahead": proposed at a time}, and writes
{"alone": [[ids]], "assisted": [[ids]], "proposed", "accepted"}. llama-cpp-python, on the processor, keys and values kept in float32.
"""
import json
import sys

import llama_cpp
import numpy

FLOAT32 = 0  # ggml's number of the type


def opened(path):
    return llama_cpp.Llama(path, n_ctx=256, n_batch=256, n_threads=1, logits_all=True, verbose=False, type_k=FLOAT32, type_v=FLOAT32)


def best(model, row):
    return int(numpy.argmax(model.scores[row]))


def alone(model, prompt, tokens):
    model.reset()
    model.eval(prompt)
    said = [best(model, model.n_tokens - 1)]
    while len(said) < tokens:
        model.eval(said[-1:])
        said.append(best(model, model.n_tokens - 1))
    return said


def back_to(model, tokens):
    """Forgets what stands behind so many tokens: the next eval removes it from the keys and values."""
    model.n_tokens = min(model.n_tokens, tokens)


def assisted(model, draft, prompt, tokens, ahead, counts):
    model.reset()
    draft.reset()
    model.eval(prompt)
    draft.eval(prompt)
    said = [best(model, model.n_tokens - 1)]
    while len(said) < tokens:
        heard = len(prompt) + len(said) - 1  # by the model, which has not read its last token
        proposed = []
        new = (prompt + said)[draft.n_tokens:]
        for _ in range(min(ahead, tokens - len(said) - 1)):
            draft.eval(new)
            new = [best(draft, draft.n_tokens - 1)]
            proposed += new
        model.eval(said[-1:] + proposed)
        agreed = 0
        while agreed < len(proposed) and best(model, heard + agreed) == proposed[agreed]:
            agreed += 1
        said += proposed[:agreed] + [best(model, heard + agreed)]
        counts["proposed"] += len(proposed)
        counts["accepted"] += agreed
        back_to(model, heard + 1 + agreed)
        back_to(draft, heard + 1 + agreed)
    return said[:tokens]


def main():
    asked = json.load(sys.stdin)
    model, draft = opened(asked["model"]), opened(asked["draft"])
    counts = {"proposed": 0, "accepted": 0}
    answer = {"alone": [alone(model, ids, asked["tokens"]) for ids in asked["prompts"]],
              "assisted": [assisted(model, draft, ids, asked["tokens"], asked["ahead"], counts) for ids in asked["prompts"]]}
    json.dump(dict(answer, **counts), sys.stdout)


if __name__ == "__main__":
    main()
