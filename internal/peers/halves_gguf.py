"""Reads a GGUF file of architecture deci with PyPI's gguf and numpy: halves_gguf.py FILE prints its lists, and counts tensors whose values it
could decode."""
import sys

import gguf

reader = gguf.GGUFReader(sys.argv[1])


def value(key):
    return reader.get_field("deci." + key).contents()


print(reader.get_field("general.architecture").contents(), "heads", value("attention.head_count"), "kv", value("attention.head_count_kv"),
      "inner", value("feed_forward_length"), "of head", value("attention.key_length"), value("attention.value_length"), value("rope.dimension_count"))
print("tensors", sum(gguf.quants.dequantize(t.data, t.tensor_type).size == t.n_elements for t in reader.tensors))
