"""Load model folders with transformers and print what it computes in them.

    transformers_logits.py FOLDER...

Each FOLDER has config.json, safetensors and inputs.json ({"sequences": [[ids], ...]}). For each a line of JSON is printed:
{"folder", "error"} or {"folder", "missing", "unexpected", "mismatched", "logits": [[values], ...]}: the weight keys that did not fit
the model, and every sequence's logits, row by row, of a float64 run.
"""
import json
import os
import sys

import torch
import transformers


def compute(folder):
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    auto = transformers.AutoModelForSequenceClassification if config["model_type"] in ("bert", "distilbert") else transformers.AutoModelForCausalLM
    if "text_config" in config:  # a model that sees or hears, asked for text alone
        auto = getattr(transformers, config["architectures"][0])
    model, loading = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, local_files_only=True,
                                          trust_remote_code="auto_map" in config)  # code that was written beside the weights
    # The grouped products that experts are computed with by default have no float64 form.
    model.config._experts_implementation = "eager"
    # Nothing is generated; transformers' cache refuses models of which no attention layer is left.
    model.config.get_text_config().use_cache = False
    model = model.eval().double()
    with open(os.path.join(folder, "inputs.json")) as file:
        sequences = json.load(file)["sequences"]
    with torch.no_grad():
        logits = [model(torch.tensor([ids])).logits.float().flatten().tolist() for ids in sequences]
    keys = {kind: sorted(str(key) for key in loading.get(kind + "_keys", [])) for kind in ("missing", "unexpected", "mismatched")}
    return dict(keys, logits=logits)


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for folder in sys.argv[1:]:
        try:
            answer = compute(folder)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(dict(answer, folder=folder)), flush=True)


if __name__ == "__main__":
    main()
