"""Lets transformers go on with a text by its cache and without: halves_generate.py FOLDER says whether the tokens are the same."""
import sys

import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True, dtype=torch.float32, local_files_only=True)
text = torch.tensor([[5, 9, 33, 70, 20, 14, 80, 41]])
cached, whole = (model.generate(text, min_new_tokens=12, max_new_tokens=12, do_sample=False, use_cache=use).tolist()[0][8:] for use in (True, False))
print(len(cached), "tokens,", "the same" if cached == whole else f"{cached} and {whole}")
