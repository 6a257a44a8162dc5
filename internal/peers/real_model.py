"""What transformers makes of a real model.

    real_model.py dense FILE.gguf OUT     reads the file, saves it as folder OUT, prints {"tokens": [[ids]], "logits": [[values]]} of "texts" and "ids"
    real_model.py pruned FOLDER           prints {"missing", "unexpected", "mismatched", "logits", "cached", "uncached"}: the keys that did not fit, the
                                          logits of "ids", and the greedy tokens after the first of them, by the cache and without it

stdin is one line of JSON, {"texts": [text], "ids": [[ids]], "tokens": how many to generate}.
"""
import json
import os
import sys

import torch
import transformers


def logits(model, sequences):
    with torch.no_grad():
        return [model(torch.tensor([ids])).logits.float().flatten().tolist() for ids in sequences]


def dense(asked, path, out):
    folder, name = os.path.split(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    answer = {"tokens": [tokenizer.encode(text, add_special_tokens=False) for text in asked["texts"]], "logits": logits(model, asked["ids"])}
    model.hf_quantizer = None  # what was read are plain values by now, and may be saved
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return answer


def pruned(asked, folder):
    model, loading = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, local_files_only=True)
    model = model.eval()
    prompt = torch.tensor([asked["ids"][0]])
    said = {}
    for name, cache in (("cached", True), ("uncached", False)):
        with torch.no_grad():
            said[name] = model.generate(prompt, min_new_tokens=asked["tokens"], max_new_tokens=asked["tokens"], do_sample=False, use_cache=cache)
        said[name] = said[name][0, prompt.shape[1] :].tolist()
    keys = {kind: sorted(str(key) for key in loading.get(kind + "_keys", [])) for kind in ("missing", "unexpected", "mismatched")}
    return dict(keys, logits=logits(model, asked["ids"]), **said)


torch.set_num_threads(2)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
answer = {"dense": dense, "pruned": pruned}[sys.argv[1]](json.load(sys.stdin), *sys.argv[2:])
json.dump(answer, sys.stdout)
