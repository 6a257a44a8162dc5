"""A forward pass and generation as llama.cpp does them, through llama-cpp-python's bindings, for measure.py.

    peer_llama.py --model FILE.gguf --ids FILE --threads N

All tokens in one batch, with the logits of every one. The size of the parts in which llama.cpp computes a batch is chosen for it: its default of
512 tokens or the whole batch, whichever took less time before the measurement. Tokens are generated greedily, by numpy's argmax, which takes less
time than llama.cpp's own sampler does over a large vocabulary.
"""
import argparse
import ctypes
import json
import time

import llama_cpp
import numpy

import protocol


class Peer:
    def __init__(self, args):
        llama_cpp.llama_backend_init()
        self.threads = args.threads
        options = llama_cpp.llama_model_default_params()
        options.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(args.model.encode(), options)
        if not self.model:
            raise SystemExit(f"peer_llama: {args.model}: not loaded")
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        with open(args.ids) as file:
            self.ids = json.load(file)
        self.contexts = {}

    def context(self, tokens):
        """The faster of two contexts for so many tokens; the other is freed."""
        if tokens not in self.contexts:
            best = None
            for part in sorted({min(512, tokens), tokens}):
                options = llama_cpp.llama_context_default_params()
                options.n_ctx = max(256, tokens)
                options.n_batch, options.n_ubatch = tokens, part
                options.n_threads = options.n_threads_batch = self.threads
                context = llama_cpp.llama_init_from_model(self.model, options)
                if not context:
                    raise RuntimeError(f"no context of {tokens} tokens")
                self.decode(context, tokens)
                begin = time.perf_counter()
                self.decode(context, tokens)
                took = time.perf_counter() - begin
                if best is None or took < best[0]:
                    best, context = (took, context), best and best[1]
                if context:
                    llama_cpp.llama_free(context)
            self.contexts[tokens] = best[1]
        return self.contexts[tokens]

    def decode(self, context, tokens):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        batch = llama_cpp.llama_batch_init(tokens, 0, 1)
        try:
            batch.n_tokens = tokens
            for i, token in enumerate(self.ids[0][:tokens]):
                batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
                batch.seq_id[i][0] = 0
            status = llama_cpp.llama_decode(context, batch)
            if status:
                raise RuntimeError(f"llama_decode: status {status}")
            return llama_cpp.llama_get_logits(context)  # waits for the computation
        finally:
            llama_cpp.llama_batch_free(batch)

    def generate(self, tokens, new):
        context = self.context(tokens + new)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        step, said = [int(token) for token in self.ids[0][:tokens]], []
        while len(said) < new:
            array = (llama_cpp.llama_token * len(step))(*step)
            status = llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(step)))
            if status:
                raise RuntimeError(f"llama_decode: status {status}")
            pointer = ctypes.cast(llama_cpp.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float))
            step = [int(numpy.ctypeslib.as_array(pointer, (self.vocab,)).argmax())]
            said += step
        return lambda: {"said": said}

    def once(self, request):
        if request["Sequences"] != 1:
            raise ValueError("llama.cpp does one sequence here")
        tokens = request["Tokens"]
        if request["Job"] == "generate":
            return self.generate(tokens, request["New"])
        if request["Job"] != "forward":
            raise ValueError(f"llama.cpp does not do {request['Job']} here")
        pointer = self.decode(self.context(tokens), tokens)

        def found():
            logits = numpy.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (tokens, self.vocab)).astype(numpy.float64)
            top = logits.max(axis=1)
            normal = top + numpy.log(numpy.exp(logits - top[:, None]).sum(axis=1))
            wanted = numpy.array(self.ids[0][1:tokens])
            return {"loss": [float((normal[:-1] - logits[numpy.arange(tokens - 1), wanted]).mean())]}

        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--ids", required=True)
    parser.add_argument("--threads", type=int, required=True)
    peer = Peer(parser.parse_args())
    system = " ".join(llama_cpp.llama_print_system_info().decode().split())
    protocol.serve({"versions": f"llama-cpp-python {llama_cpp.__version__} ({system})"}, peer.once)


if __name__ == "__main__":
    main()
