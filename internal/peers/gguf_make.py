"""Rewrites a Llama folder with a byte-level tokenizer as GGUF, with PyPI's gguf and numpy, and as the same values in safetensors.

    gguf_make.py FOLDER TYPE OUT

TYPE is F32, F16 or Q8_0; norms stay F32. OUT/model.gguf holds the model, OUT/plain a folder with config, tokenizer and the values that
OUT/model.gguf means, in float32.
"""
import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
from safetensors.numpy import save_file

folder, kind, out = pathlib.Path(sys.argv[1]), gguf.GGMLQuantizationType[sys.argv[2]], pathlib.Path(sys.argv[3])
config = json.loads((folder / "config.json").read_text())
heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]


def stored():
    """Yields name and float32 values; bfloat16 is the upper half of a float32."""
    data = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + at for at in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(data[begin:end], np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(data[begin:end], {"F32": np.float32, "F16": np.float16}[entry["dtype"]]).astype(np.float32)
        yield name, values.reshape(entry["shape"])


def halves_to_pairs(rows, count):
    return rows.reshape(count, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def pairs_to_halves(rows, count):
    return rows.reshape(count, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


writer = gguf.GGUFWriter(str(out / "model.gguf"), "llama")
writer.add_block_count(config["num_hidden_layers"])
writer.add_context_length(config["max_position_embeddings"])
writer.add_embedding_length(config["hidden_size"])
writer.add_feed_forward_length(config["intermediate_size"])
writer.add_head_count(heads)
writer.add_head_count_kv(kv_heads)
writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
writer.add_rope_dimension_count(config["head_dim"])

tokenizer = json.loads((folder / "tokenizer.json").read_text())
vocabulary = tokenizer["model"]["vocab"]
special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
tokens = sorted({**vocabulary, **special}.items(), key=lambda item: item[1])
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list([token for token, _ in tokens])
writer.add_token_types([gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token, _ in tokens])
writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]])
writer.add_bos_token_id(config["bos_token_id"])
writer.add_eos_token_id(config["eos_token_id"])
writer.add_add_bos_token(True)

names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
plain = {}
for name, values in stored():
    turned = heads if "q_proj" in name else kv_heads if "k_proj" in name else 0
    if turned:
        values = halves_to_pairs(values, turned)
    how = kind if values.ndim == 2 else gguf.GGMLQuantizationType.F32
    blocks = gguf.quants.quantize(values, how)
    writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), blocks, raw_dtype=how)
    meant = gguf.quants.dequantize(blocks, how).astype(np.float32).reshape(values.shape)
    plain[name] = np.ascontiguousarray(pairs_to_halves(meant, turned) if turned else meant)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

(out / "plain").mkdir()
save_file(plain, out / "plain" / "model.safetensors", metadata={"format": "pt"})
(out / "plain" / "config.json").write_text(json.dumps({**config, "dtype": "float32"}))
shutil.copyfile(folder / "tokenizer.json", out / "plain" / "tokenizer.json")
