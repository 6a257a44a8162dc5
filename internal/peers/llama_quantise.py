"""Lets llama.cpp quantise a GGUF model, weighed by an importance matrix or not (llama-cpp-python).

Reads one line of JSON on stdin, {"path": ..., "out": ..., "type": number of the file type, "matrix": {tensor: [mean squares]} or null}, and writes
what llama.cpp returns: 0 where it has done it.
"""
import ctypes
import json
import sys

import llama_cpp
import numpy

asked = json.load(sys.stdin)
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype, parameters.nthread, parameters.allow_requantize = asked["type"], 1, True
entry = llama_cpp.llama_cpp.llama_model_imatrix_data
kept = [(name.encode(), numpy.array(values, numpy.float32)) for name, values in (asked["matrix"] or {}).items()]
if kept:
    entries = (entry * (len(kept) + 1))()  # a name that is none ends them
    for at, (name, values) in enumerate(kept):
        entries[at].name, entries[at].size = name, values.size
        entries[at].data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    parameters.imatrix = ctypes.cast(entries, ctypes.POINTER(entry))
json.dump(llama_cpp.llama_model_quantize(asked["path"].encode(), asked["out"].encode(), ctypes.byref(parameters)), sys.stdout)
