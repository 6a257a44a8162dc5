"""Make golden.safetensors and python.gguf with PyPI's gguf, numpy and safetensors.

    gguf_blocks.py OUT

golden.safetensors: for each type T.blocks (random bytes) and T.values (what gguf.quants.dequantize makes of them). Half-precision
scales are finite: what a NaN becomes is no part of the format. For each type that gguf can write T.quantised, what it makes of
quantise.values. python.gguf: every kind of metadata and a few tensors.
"""
import os
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T, GGUFValueType as V
from safetensors.numpy import save_file

random = np.random.default_rng(20240229)
halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208], "MXFP4": [], "IQ4_NL": [0], "IQ4_XS": [0]}
golden = {}
for name, places in halves.items():
    elements, size = gguf.GGML_QUANT_SIZES[T[name]]
    count = max(3, 768 // elements)
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for place in places:
        bits = random.integers(0, 1 << 16, count, dtype=np.uint16)
        bits = np.where(bits & 0x7C00 == 0x7C00, bits & 0xBFFF, bits)  # neither infinite nor NaN
        bits[0] &= 0x83FF  # one subnormal
        blocks[:, place:place + 2] = bits.astype("<u2").view(np.uint8).reshape(count, 2)
    golden[name + ".blocks"] = blocks.reshape(-1)
    golden[name + ".values"] = gguf.quants.dequantize(blocks, T[name]).astype("<f4").reshape(-1)
bits = np.arange(0, 1 << 16, 7, dtype=np.uint16)
finite = bits[bits & 0x7C00 != 0x7C00]
finite = np.concatenate([finite, [0x7C00, 0xFC00]]).astype("<u2")
golden["F16.blocks"] = finite.view(np.uint8)
golden["F16.values"] = finite.view(np.float16).astype("<f4")
finite = bits[bits & 0x7F80 != 0x7F80].astype("<u2")
golden["BF16.blocks"] = finite.view(np.uint8)
golden["BF16.values"] = gguf.quants.dequantize(finite.view(np.uint8).reshape(1, -1), T.BF16).astype("<f4").reshape(-1)

# What is quantised: blocks of 32 values of many sizes, with zeros, ties, one outlier, and scales that are subnormal as halves.
values = random.standard_normal((48, 32)).astype(np.float32) * np.float32(2.0) ** random.integers(-30, 12, (48, 1)).astype(np.float32)
values[0] = 0
values[1] = np.arange(-16, 16) / 8
values[2] = 1.5
values[3] = -0.25
values[4, 7] *= 50
values[5] = abs(values[5])
golden["quantise.values"] = values.reshape(-1)
for name in ["BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
    golden[name + ".quantised"] = gguf.quants.quantize(values, T[name]).view(np.uint8).reshape(-1)
golden["F16.quantised"] = values.astype("<f2").view(np.uint8).reshape(-1)
save_file(golden, os.path.join(sys.argv[1], "golden.safetensors"))

writer = gguf.GGUFWriter(os.path.join(sys.argv[1], "python.gguf"), "llama")
writer.add_uint8("a.uint8", 200)
writer.add_int8("a.int8", -100)
writer.add_uint16("a.uint16", 60000)
writer.add_int16("a.int16", -30000)
writer.add_uint32("a.uint32", 4000000000)
writer.add_int32("a.int32", -2000000000)
writer.add_float32("a.float32", 0.1)
writer.add_uint64("a.uint64", 1 << 63)
writer.add_int64("a.int64", -(1 << 62))
writer.add_float64("a.float64", 0.1)
writer.add_bool("a.bool", True)
writer.add_string("a.string", "größer")
writer.add_array("a.strings", ["<s>", "", "é"])
writer.add_array("a.ints", [1, -2, 3])
writer.add_array("a.floats", [0.5, -1.5])
writer.add_array("a.bools", [True, False])
writer.add_block_count(3)
writer.add_array("llama.feed_forward_length", [32, 64, 96])
writer.add_tensor("token_embd.weight", np.arange(64, dtype=np.float32).reshape(2, 32))
for block in range(3):
    values = np.full((4, 32), block + 1, dtype=np.float32)
    writer.add_tensor(f"blk.{block}.ffn_up.weight", gguf.quants.quantize(values, T.Q8_0), raw_dtype=T.Q8_0)
    writer.add_tensor(f"blk.{block}.attn_norm.weight", np.full(5, block, dtype=np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
