"""Answers, line by line and in JSON, what the formats' own packages make of inputs that are given in base64.

    peers.py tokenizers FILE.json   [texts]             -> [[ids, ids with special tokens, decoded, decoded without special tokens] or null]
    peers.py llama FILE.gguf        [texts]             -> [ids, special tokens in the text read as such, or null]
    peers.py gguf                   [type, blocks]      -> values as float32
    peers.py quantise               [type, values]      -> blocks, or null
    peers.py safetensors            [files]             -> [{name: [dtype, shape, data]} or null]

null is what the package refuses.
"""
import base64
import json
import sys


def decoded(text):
    try:
        return base64.b64decode(text).decode()
    except UnicodeDecodeError:
        return None


def encoded(data):
    return base64.b64encode(bytes(data)).decode()


def tokenizers(path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def one(text):
        text = decoded(text)
        if text is None:
            return None
        special = tokenizer.encode(text, add_special_tokens=True).ids
        plain = [tokenizer.decode(special, skip_special_tokens=skip) for skip in (False, True)]
        return [tokenizer.encode(text, add_special_tokens=False).ids, special, *plain]

    return lambda texts: list(map(one, texts))


def llama(path):
    import llama_cpp

    model = llama_cpp.Llama(path, vocab_only=True, verbose=False)

    def one(text):
        text = decoded(text)
        return None if text is None else model.tokenize(text.encode(), add_bos=False, special=True)

    return lambda texts: list(map(one, texts))


def gguf():
    import gguf
    import numpy

    numpy.seterr(all="ignore")

    def values(question):
        kind = gguf.GGMLQuantizationType[question[0]]
        blocks = numpy.frombuffer(base64.b64decode(question[1]), numpy.uint8).reshape(-1, gguf.GGML_QUANT_SIZES[kind][1])
        return encoded(gguf.quants.dequantize(blocks, kind).astype("<f4").tobytes())

    return values


def quantise():
    import gguf
    import numpy

    numpy.seterr(all="ignore")

    def blocks(question):
        kind = gguf.GGMLQuantizationType[question[0]]
        values = numpy.frombuffer(base64.b64decode(question[1]), "<f4").reshape(-1, gguf.GGML_QUANT_SIZES[kind][0])
        return encoded(gguf.quants.quantize(values, kind).tobytes())

    return blocks


def safetensors():
    import safetensors

    def one(file):
        try:
            tensors = safetensors.deserialize(base64.b64decode(file))
        except safetensors.SafetensorError:
            return None
        return {name: [tensor["dtype"], tensor["shape"], encoded(tensor["data"])] for name, tensor in tensors}

    return lambda files: list(map(one, files))


answer = globals()[sys.argv[1]](*sys.argv[2:])
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
