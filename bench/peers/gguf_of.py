"""Write the GGUF file that holds the same weights as a model folder of bench/peers/model.

    gguf_of.py --model DIR --out FILE.gguf

Matrices keep their type, vectors become F32, and the rows of queries and keys are put in the order of rotary pairs that llama.cpp uses for
Llama. There is no tokenizer in it.
"""
import argparse
import json
import os

import gguf
import numpy

NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
PARTS = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
TYPES = {"F32": (numpy.uint32, gguf.GGMLQuantizationType.F32), "BF16": (numpy.uint16, gguf.GGMLQuantizationType.BF16)}


def tensors(path):
    """Names, types and values (as words of their width) of a safetensors file."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    for name, entry in header.items():
        if name != "__metadata__":
            words = TYPES[entry["dtype"]][0]
            yield name, entry["dtype"], numpy.memmap(path, words, "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))


def name_of(name):
    if name in NAMES:
        return NAMES[name]
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.weight"


def paired(values, heads):
    """Rows (half, pair) of each head become rows (pair, half)."""
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(os.path.join(args.model, "config.json")) as file:
        config = json.load(file)
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    writer = gguf.GGUFWriter(args.out + ".incomplete", "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    for name, dtype, values in tensors(os.path.join(args.model, "model.safetensors")):
        if values.ndim == 1:
            wide = values if dtype == "F32" else values.astype(numpy.uint32) << 16
            writer.add_tensor(name_of(name), wide.view(numpy.float32))
            continue
        part = name.removesuffix(".weight").rsplit(".", 1)[-1]
        if part in heads:
            values = paired(values, heads[part])
        writer.add_tensor(name_of(name), numpy.ascontiguousarray(values).view(numpy.uint8), raw_dtype=TYPES[dtype][1])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(args.out + ".incomplete", args.out)


if __name__ == "__main__":
    main()
