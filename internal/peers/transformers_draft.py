"""Let transformers continue prompts greedily with a model alone, and with a draft as its assistant_model.

    transformers_draft.py MODEL DRAFT TOKENS     reads [[ids], ...] as JSON on stdin

Prints JSON: {"alone": [[new ids], ...], "assisted": [[new ids], ...], "layers": [of the model, of the draft], "missing": [keys the draft's
files lack], "unexpected": [keys nobody asks for], "drafted": how often the draft was run}.
"""
import json
import sys

import torch
import transformers


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    folder, draft_folder, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
    load = transformers.AutoModelForCausalLM.from_pretrained
    model = load(folder, dtype=torch.float32, local_files_only=True).eval()
    draft, loading = load(draft_folder, dtype=torch.float32, local_files_only=True, output_loading_info=True)
    draft = draft.eval()
    drafted = 0

    def count(*_):
        nonlocal drafted
        drafted += 1

    draft.register_forward_hook(count)
    answers = {"alone": [], "assisted": []}
    for ids in json.load(sys.stdin):
        prompt = torch.tensor([ids])
        for name, more in (("alone", {}), ("assisted", {"assistant_model": draft})):
            with torch.no_grad():
                said = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens,
                                      eos_token_id=None, pad_token_id=0, **more)
            answers[name].append(said[0, len(ids):].tolist())
    print(json.dumps(dict(answers, layers=[model.config.num_hidden_layers, draft.config.num_hidden_layers], drafted=drafted,
                          missing=sorted(map(str, loading["missing_keys"])), unexpected=sorted(map(str, loading["unexpected_keys"])))))


if __name__ == "__main__":
    main()
