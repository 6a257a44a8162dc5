"""The jobs as transformers and torch do them, for measure.py.

    peer_torch.py --model DIR --ids FILE --compute f32|bf16 --threads N

forward is the whole model with the logits of every token; measure is what a script with hooks does to get block influence (1 − cosine of a
block's input and output, mean over tokens) and AVSS as published (variance over sparsity of a block's output); removal computes the loss of
the model without each layer in turn, one after the other.
"""
import argparse
import json
import os

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")

import torch  # noqa: E402
import transformers  # noqa: E402
from torch.nn import functional  # noqa: E402

import protocol  # noqa: E402

BATCH = 4  # sequences at a time, in jobs of several
EPSILON = 1e-4


class Peer:
    def __init__(self, args):
        torch.set_num_threads(args.threads)
        torch.set_grad_enabled(False)
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.compute]
        self.model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
        self.compiled = None
        with open(args.ids) as file:
            self.ids = torch.tensor(json.load(file))

    def once(self, request):
        ids = self.ids[: request["Sequences"], : request["Tokens"]]
        return {"forward": self.forward, "measure": self.measure, "removal": self.removal}[request["Job"]](ids, request["Mode"])

    def forward(self, ids, mode):
        model = self.model
        if mode == "compile":
            if self.compiled is None:
                self.compiled = torch.compile(self.model, dynamic=False)
            model = self.compiled
        logits = model(input_ids=ids, use_cache=False).logits
        return lambda: {"loss": [loss(logits, ids)]}

    def measure(self, ids, mode):
        layers = self.model.model.layers
        influence, variance, sparsity, tokens = ([0.0] * len(layers) for _ in range(4))

        def hook(index):
            def seen(_, entering, leaving):
                x, y = entering[0].float(), (leaving[0] if isinstance(leaving, tuple) else leaving).float()
                n = x.shape[0] * x.shape[1]
                influence[index] += (1 - functional.cosine_similarity(x, y, dim=-1)).sum().item()
                variance[index] += y.var(unbiased=False).item() * n
                sparsity[index] += (y.abs() < EPSILON).float().mean().item() * n
                tokens[index] += n
            return seen

        hooks = [layer.register_forward_hook(hook(i)) for i, layer in enumerate(layers)]
        try:
            for batch in ids.split(BATCH):
                if mode == "headless":
                    self.model.model(input_ids=batch, use_cache=False)
                else:
                    self.model(input_ids=batch, use_cache=False)
        finally:
            for one in hooks:
                one.remove()
        return lambda: {"bi": [i / n for i, n in zip(influence, tokens)],
                        "avss-paper": [v / s if s else float("inf") for v, s in zip(variance, sparsity)]}

    def removal(self, ids, _):
        layers = self.model.model.layers

        def total():
            batches = [(batch, self.model(input_ids=batch, use_cache=False).logits) for batch in ids.split(BATCH)]
            return sum(loss(logits, batch) * len(batch) for batch, logits in batches) / len(ids)

        losses = [total()]
        for gone in range(len(layers)):
            self.model.model.layers = torch.nn.ModuleList(layer for i, layer in enumerate(layers) if i != gone)
            losses.append(total())
        self.model.model.layers = layers
        return lambda: {"losses": losses}


def loss(logits, ids):
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten()).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--ids", required=True)
    parser.add_argument("--compute", choices=["f32", "bf16"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    peer = Peer(parser.parse_args())
    protocol.serve({"versions": f"torch {torch.__version__}, transformers {transformers.__version__}", "threads": torch.get_num_threads()}, peer.once)


if __name__ == "__main__":
    main()
