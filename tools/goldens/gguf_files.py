"""Rewrites goldens (folders with config.json and model.safetensors) as GGUF with llama.cpp's own converter.

    gguf_files.py LLAMA_CPP GOLDENS OUT [NAME ...]

LLAMA_CPP is llama.cpp's source, as llama-cpp-python's source archive has it in vendor/llama.cpp. Goldens have no vocabulary, so the files
get one of made-up words. Keys that the converter wants in their old spelling are filled in from the new one.
"""
import json
import logging
import pathlib
import shutil
import sys
import tempfile

llama_cpp, goldens, out = map(pathlib.Path, sys.argv[1:4])
sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]

import conversion  # noqa: E402
import gguf  # noqa: E402
import torch  # noqa: E402
from conversion.base import ModelBase  # noqa: E402

logging.disable(logging.WARNING)
load = ModelBase.load_hparams


def load_old_spelling(folder, *arguments, **keywords):
    config = load(folder, *arguments, **keywords)
    rope = config.get("rope_parameters") or {}
    rope = rope.get("full_attention", rope)
    if config.get("n_ctx") is None and "n_positions" in config:
        config["n_ctx"] = config["n_positions"]
    if config.get("rotary_pct") is None and config.get("model_type") in ("gpt_neox", "cohere2"):
        config["rotary_pct"] = rope.get("partial_rotary_factor", 1.0)
    if config.get("model_type", "").startswith("qwen3_5"):
        config["rope_parameters"].setdefault("mrope_section", [1, 0, 0])  # the published models' sections are longer than a golden's heads
    if config.get("model_type") == "deepseek_v3":
        config.setdefault("scoring_func", "sigmoid")  # as published ones say
    return config


def words(model):
    count = model.hparams["vocab_size"]
    writer = model.gguf_writer
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(([b"<unk>", b"<s>", b"</s>"] + [b"t%d" % i for i in range(3, count)])[:count])
    writer.add_token_scores([-float(i) for i in range(count)])
    writer.add_token_types(([2, 3, 3] + [1] * count)[:count])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


ModelBase.no_mtp = True  # goldens have no layers that predict further tokens
ModelBase.load_hparams = staticmethod(load_old_spelling)
for name in sys.argv[4:] or sorted(p.name for p in goldens.iterdir()):
    with tempfile.TemporaryDirectory() as work, torch.inference_mode():
        work = pathlib.Path(work) / name
        work.mkdir()
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(goldens / name / file, work / file)
        config = json.loads((work / "config.json").read_text())
        architecture = {"MptForCausalLM": "MPTForCausalLM"}.get(config["architectures"][0], config["architectures"][0])
        words_of = {"model": {"vocab": {f"t{i}": i for i in range(config["vocab_size"])}}, "added_tokens": []}
        (work / "tokenizer.json").write_text(json.dumps(words_of))
        try:
            converter = conversion.get_model_class(architecture)
            converter.set_vocab = words
            converter(work, gguf.LlamaFileType.ALL_F32, out / f"{name}-f32.gguf").write()
            print(name, "written")
        except Exception as error:  # a family that the converter does not know
            print(name, "not written:", type(error).__name__, str(error)[:200])
