"""Lets llama.cpp compute the logits of GGUF models (llama-cpp-python, on the processor, keys and values kept in float32).

Reads one line of JSON on stdin, {"models": [{"path": ..., "sequences": [[ids]], "stepwise": false}]}, and writes one: for each model the
logits of every position, [sequences][tokens][vocabulary], or null where llama.cpp does not load the file. Stepwise each token is computed by
itself, from the keys and values kept of those before it, as text is generated.
"""
import json
import sys

import llama_cpp

FLOAT32 = 0  # ggml's number of the type


def logits(path, sequences, stepwise):
    longest = max(map(len, sequences))
    try:
        model = llama_cpp.Llama(path, n_ctx=longest, n_batch=longest, n_threads=1, logits_all=True, verbose=False, type_k=FLOAT32, type_v=FLOAT32)
    except ValueError:
        return None
    answers = []
    for ids in sequences:
        model.reset()
        for piece in [[id] for id in ids] if stepwise else [ids]:
            model.eval(piece)
        answers.append([[float(x) for x in row] for row in model.scores[: len(ids)]])
    return answers


json.dump([logits(m["path"], m["sequences"], m.get("stepwise", False)) for m in json.load(sys.stdin)["models"]], sys.stdout)
