"""Write docs/architectures.md: what every architecture's golden, reload and transformers say.

    go test ./engine -v -run TestGoldens > goldens.txt
    go test ./prune -v -run TestEveryArchitectureReloadsShorter > reload.txt
    go test ./internal/peers -v -run TestTransformersLoadsEveryPrunedArchitecture > transformers.txt
    go test ./internal/peers -v -run TestTransformersLoadsEveryPrunedWrapper > wrappers.txt
    python3 docs/architectures.py goldens.txt reload.txt transformers.txt wrappers.txt > docs/architectures.md
"""
import re
import sys

SPECIAL = {
    "apertus": "xIELU with stored parameters, head norms", "arcee": "squared ReLU, no gate", "bert-classifier": "encoder, norms after the sums, label head",
    "bloom": "ALiBi, norm behind the embedding", "codegen": "parallel, q/v/k split four ways", "cohere": "parallel on one layer norm, neighbouring rotary pairs, logit scale",
    "cohere2": "as cohere, three sliding layers for a full one without positions", "deepseek-v2": "latent attention, shared experts, softmax routing",
    "deepseek-v3": "latent attention, sigmoid routing by groups with a correction", "distilbert-classifier": "encoder, norms after the sums, label head",
    "ernie4-5": "neighbouring rotary pairs", "exaone4": "norms behind, head norms, full layers without positions", "falcon-40b": "a norm for each branch, grouped key-value heads",
    "falcon-7b": "parallel, one key-value head", "gemma": "embedding scale, 1 + weight norms", "gemma2": "four norms, soft caps, sliding by turns",
    "gemma3": "head norms, two rotary bases", "glm": "half rotated in neighbouring pairs, fused gate and up", "glm4": "as glm, four norms",
    "glm4-moe": "V3 routing, shared experts, ordinary attention", "gpt-bigcode": "GPT-2 with one key-value head", "gpt-neo": "local layers by turns, unscaled scores",
    "gpt-neox": "parallel residual, partial rotary", "gpt-neox-serial": "the same, serial", "gpt-oss": "sinks, sliding by turns, clamped experts with biases, YaRN",
    "gpt2": "[in × out] matrices, learned positions", "gptj": "parallel, neighbouring rotary pairs, head bias", "granite": "four multipliers", "granite-moe": "multipliers, fused experts",
    "helium": "neighbouring rotary pairs", "hunyuan-dense": "head norms after the rotation", "lfm2": "short convolutions beside attention", "llama": "the plain block",
    "llama-headdim-bias": "own head size, biases", "llama-linear-rope": "linear scaling", "llama-tied-mha": "tied head", "llama-yarn-rope": "YaRN", "llama3-rope": "Llama 3 scaling",
    "llama4": "chunks, layers without positions, one expert beside a shared one", "ministral3": "YaRN, queries grow with position", "mistral": "sliding window", "mixtral": "experts",
    "mpt": "ALiBi, norms without bias", "nemotron-nas": "layers of different shapes, some without attention or MLP", "nemotron": "1 + weight layer norms, squared ReLU", "olmo": "norms without weights, clipped q, k, v", "olmo2": "norms behind, row norms on q, k",
    "olmo3": "as olmo2, sliding layers with their own rotation", "olmoe": "experts, row norms on q, k", "opt": "learned positions from row 2", "opt-350m": "norms after the sums, narrow embedding",
    "phi": "parallel on one norm, biases", "phi3": "fused q, k, v and gate, up", "phimoe": "sparse mixer routing, layer norms", "qwen2": "biases on q, k, v", "qwen2-window": "sliding from a layer on",
    "qwen3": "head norms", "qwen3-5": "gated delta rule, gated attention", "qwen3-moe": "experts, head norms", "qwen3-next": "gated delta rule, gated attention, gated shared expert",
    "seed-oss": "biases on q, k, v", "smollm3": "every fourth layer without positions", "stablelm": "layer norms, a quarter rotated", "stablelm-alpha": "parallel, SwiGLU with the gate last",
    "stablelm-parallel-qknorm": "parallel, a norm of its own for every head", "starcoder2": "layer norms, no gate, biases, window",
}


def errors(path, pattern):
    found, name = {}, None
    for line in open(path, encoding="utf-8"):
        if start := re.match(r"=== (?:RUN|NAME) +" + pattern, line):
            name = start.groups()
        elif name and (error := re.search(r"largest error (\S+)", line)):
            found[name] = error.group(1)
    return found


def main():
    goldens = errors(sys.argv[1], r"TestGoldens/(\S+)/(\S+)")
    passed = set(re.findall(r"--- PASS: TestEveryArchitectureReloadsShorter/(\S+)", open(sys.argv[2], encoding="utf-8").read()))
    peers = errors(sys.argv[3], r"TestTransformersLoadsEveryPrunedArchitecture/(\S+)-without-(\S+)")
    print("# Architectures")
    print("Errors are the largest over all tensors, relative to a tensor's root mean square, against what transformers 5.23 computes in float64. *Reload*: every")
    print("subset of layers left out, written, opened again, the same logits bit for bit. *Transformers*: it loads what was written without the first, the middle or")
    print("the last layer, no weight missing or left over; the largest error of its logits. The delta rule of qwen3-next and qwen3-5 runs in float32 in transformers.")
    print("Made by the commands in `architectures.py`.\n")
    print("| golden | what is special | reference | cpu | reload | transformers |")
    print("|---|---|---|---|---|---|")
    for name in sorted({name for name, _ in goldens}):
        there = [float(peers[key]) for key in peers if key[0] == name]
        print(f"| {name} | {SPECIAL.get(name, '')} | {goldens.get((name, 'reference'), '')} | {goldens.get((name, 'cpu'), '')} | "
              f"{'equal' if name in passed else 'not shown'} | {f'{max(there):.2g}' if there else 'not known to it'} |")
    wrappers(sys.argv[4])


def wrappers(path):
    answers = errors(path, r"TestTransformersLoadsEveryPrunedWrapper/(\S+)")
    print('''
## Around a language model
Models that see or hear, given text alone: the largest error of the text model's logits against transformers 5.23, whole, and without the first, the middle or
the last layer of what `prune` wrote. Everything that is not the text model's is copied byte for byte. For Cohere's and Granite's, transformers leaves out the
text model's factor on logits; the comparison puts it back. Images and sound are not read.

| wrapper | whole | without a layer |
|---|---|---|''')
    whole = [name for (name,) in answers if "-without-" not in name]
    for name in sorted(whole):
        cut = [float(error) for (other,), error in answers.items() if other.startswith(name + "-without-")]
        print(f"| {name} | {answers[name,]} | {max(cut):.2g} |")


if __name__ == "__main__":
    main()
