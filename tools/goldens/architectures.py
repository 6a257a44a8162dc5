"""Write small random models of many architectures with the values the reference implementation computes for them.

    architectures.py --out DIR [--seed 0] [--only llama,gpt2]

Each DIR/NAME/ is a Hugging Face model folder (config.json, model.safetensors: BF16, or F32 for the names in FLOAT32) and
    inputs.json            {"sequences": [[token ids], ...], of different lengths, each run on its own}
    reference.safetensors  for sequence i, float32 of a float64 run:
        "i.embed"   [tokens, hidden]   what enters block 0
        "i.block.l" [tokens, hidden]   what leaves block l: the raw residual stream, before any final norm
        "i.logits"  [tokens, vocab]    (encoders with a classification head: "i.logits" [labels])
Needs torch and transformers. Weights are drawn so that every layer changes its input visibly: norms away from one, biases
away from zero, so a missing term shows. Those of a model in BF16 are rounded before anything is computed, so that its reference is exact too.
"""
import argparse
import json
import os

import torch
import transformers as hf
from safetensors.torch import save_file

SMALL = dict(vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)
GQA = dict(SMALL, num_key_value_heads=2)
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
WINDOWED = ["sliding_attention", "full_attention", "sliding_attention"]


def gpt2_like(**more):
    return dict(vocab_size=97, n_embd=32, n_layer=3, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2, **more)


CASES = {
    "llama": (hf.LlamaConfig, GQA),
    "llama-tied-mha": (hf.LlamaConfig, dict(SMALL, num_key_value_heads=4, tie_word_embeddings=True)),
    "llama-headdim-bias": (hf.LlamaConfig, dict(GQA, head_dim=12, attention_bias=True, mlp_bias=True)),
    "llama3-rope": (hf.LlamaConfig, dict(GQA, rope_parameters={
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16})),
    "llama-linear-rope": (hf.LlamaConfig, dict(GQA, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0})),
    "llama-yarn-rope": (hf.LlamaConfig, dict(GQA, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16})),
    "mistral": (hf.MistralConfig, dict(GQA, sliding_window=5)),
    "ministral3": (hf.Ministral3Config, dict(GQA, head_dim=8, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 32.0,
        "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1})),
    "mixtral": (hf.MixtralConfig, dict(GQA, num_local_experts=4, num_experts_per_tok=2)),
    "qwen2": (hf.Qwen2Config, GQA),
    "qwen2-window": (hf.Qwen2Config, dict(GQA, use_sliding_window=True, sliding_window=4, max_window_layers=1)),
    "qwen3": (hf.Qwen3Config, dict(GQA, head_dim=12)),
    "qwen3-moe": (hf.Qwen3MoeConfig, dict(GQA, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                         norm_topk_prob=True)),
    "gemma": (hf.GemmaConfig, dict(GQA, head_dim=12)),
    "gemma2": (hf.Gemma2Config, dict(GQA, head_dim=12, sliding_window=5, query_pre_attn_scalar=20)),
    "gemma3": (hf.Gemma3TextConfig, dict(GQA, head_dim=12, sliding_window=5, query_pre_attn_scalar=20,
                                       layer_types=WINDOWED)),
    "phi": (hf.PhiConfig, dict(SMALL, partial_rotary_factor=0.5)),
    "phi3": (hf.Phi3Config, dict(GQA, sliding_window=6)),
    "gpt2": (hf.GPT2Config, gpt2_like()),
    "gpt-bigcode": (hf.GPTBigCodeConfig, gpt2_like(multi_query=True)),
    "gpt-neox": (hf.GPTNeoXConfig, dict(SMALL, rope_parameters=dict(ROPE, partial_rotary_factor=0.25))),
    "gpt-neox-serial": (hf.GPTNeoXConfig, dict(SMALL, use_parallel_residual=False, rope_parameters=dict(ROPE, partial_rotary_factor=0.5))),
    "gptj": (hf.GPTJConfig, gpt2_like(rotary_dim=4)),
    "stablelm": (hf.StableLmConfig, dict(GQA, use_qkv_bias=True, rope_parameters=dict(ROPE, partial_rotary_factor=0.25))),
    "stablelm-parallel-qknorm": (hf.StableLmConfig, dict(GQA, use_parallel_residual=True, qk_layernorm=True,
                                                       rope_parameters=dict(ROPE, partial_rotary_factor=0.5))),
    "opt": (hf.OPTConfig, dict(vocab_size=97, hidden_size=32, ffn_dim=48, num_hidden_layers=3, num_attention_heads=4,
                              max_position_embeddings=64, word_embed_proj_dim=32, bos_token_id=1, eos_token_id=2, pad_token_id=0)),
    "opt-350m": (hf.OPTConfig, dict(vocab_size=97, hidden_size=32, ffn_dim=48, num_hidden_layers=3, num_attention_heads=4,
                                   max_position_embeddings=64, word_embed_proj_dim=16, do_layer_norm_before=False,
                                   bos_token_id=1, eos_token_id=2, pad_token_id=0)),
    "bloom": (hf.BloomConfig, dict(vocab_size=97, hidden_size=32, n_layer=3, n_head=4, bos_token_id=1, eos_token_id=2, pad_token_id=0)),
    "falcon-7b": (hf.FalconConfig, dict(vocab_size=97, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, multi_query=True,
                                       parallel_attn=True, bias=False, alibi=False, bos_token_id=1, eos_token_id=2)),
    "falcon-40b": (hf.FalconConfig, dict(vocab_size=97, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_kv_heads=2,
                                        new_decoder_architecture=True, bias=False, alibi=False, bos_token_id=1, eos_token_id=2)),
    "olmo": (hf.OlmoConfig, dict(GQA, clip_qkv=0.9)),
    "olmo2": (hf.Olmo2Config, GQA),
    "olmo3": (hf.Olmo3Config, dict(GQA, sliding_window=5, layer_types=WINDOWED)),
    "olmoe": (hf.OlmoeConfig, dict(GQA, num_experts=4, num_experts_per_tok=2)),
    "smollm3": (hf.SmolLM3Config, dict(GQA, no_rope_layers=[1, 0, 1])),
    "granite": (hf.GraniteConfig, dict(GQA, embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.6, logits_scaling=2.0)),
    "cohere": (hf.CohereConfig, dict(GQA, logit_scale=0.25, use_qk_norm=False)),
    "cohere2": (hf.Cohere2Config, dict(GQA, logit_scale=0.25, sliding_window=5,
                                     layer_types=WINDOWED)),
    "starcoder2": (hf.Starcoder2Config, dict(GQA, use_bias=True, sliding_window=6)),
    "glm4": (hf.Glm4Config, dict(GQA, head_dim=8)),
    "exaone4": (hf.Exaone4Config, dict(GQA, sliding_window=5, layer_types=WINDOWED)),
    "gpt-oss": (hf.GptOssConfig, dict(GQA, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=5,
                                     layer_types=WINDOWED)),
    "arcee": (hf.ArceeConfig, dict(GQA)),
    "apertus": (hf.ApertusConfig, dict(GQA, rope_parameters=dict(ROPE))),
    "nemotron": (hf.NemotronConfig, dict(GQA, head_dim=8, rope_parameters=dict(ROPE, partial_rotary_factor=0.5))),
    "seed-oss": (hf.SeedOssConfig, dict(GQA, head_dim=8)),
    "ernie4-5": (hf.Ernie4_5Config, dict(GQA, head_dim=8)),
    "hunyuan-dense": (hf.HunYuanDenseV1Config, dict(GQA, head_dim=8)),
    "glm": (hf.GlmConfig, dict(GQA, head_dim=8)),
    "helium": (hf.HeliumConfig, dict(GQA, head_dim=8)),
    "gpt-neo": (hf.GPTNeoConfig, dict(vocab_size=97, hidden_size=32, num_layers=3, num_heads=4, attention_types=[[["global", "local", "global"], 1]],
                                     window_size=5, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)),
    "codegen": (hf.CodeGenConfig, gpt2_like(rotary_dim=4)),
    "mpt": (hf.MptConfig, dict(vocab_size=97, d_model=32, n_layers=3, n_heads=4, max_seq_len=64)),
    "deepseek-v2": (hf.DeepseekV2Config, dict(SMALL, num_key_value_heads=4, moe_intermediate_size=24, n_routed_experts=4, n_shared_experts=1,
                                             num_experts_per_tok=2, kv_lora_rank=16, q_lora_rank=24,
                                             qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, first_k_dense_replace=1,
                                             rope_parameters=dict(ROPE))),
    "deepseek-v3": (hf.DeepseekV3Config, dict(SMALL, num_key_value_heads=4, moe_intermediate_size=24, n_routed_experts=4, n_shared_experts=1,
                                             num_experts_per_tok=2, n_group=2, topk_group=1, kv_lora_rank=16, q_lora_rank=24, qk_rope_head_dim=8,
                                             qk_nope_head_dim=8, v_head_dim=8, first_k_dense_replace=1, rope_parameters=dict(ROPE))),
    "glm4-moe": (hf.Glm4MoeConfig, dict(GQA, head_dim=8, moe_intermediate_size=24, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1,
                                      first_k_dense_replace=1)),
    "granite-moe": (hf.GraniteMoeConfig, dict(GQA, num_local_experts=4, num_experts_per_tok=2)),
    "phimoe": (hf.PhimoeConfig, dict(GQA, num_local_experts=4, num_experts_per_tok=2)),
    "llama4": (hf.Llama4TextConfig, dict(GQA, head_dim=8, intermediate_size_mlp=48, num_local_experts=4, num_experts_per_tok=1,
                                       attention_chunk_size=8, no_rope_layers=[1, 1, 0], moe_layers=[1])),
    "qwen3-next": (hf.Qwen3NextConfig, dict(GQA, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                          shared_expert_intermediate_size=24, linear_num_key_heads=2, linear_num_value_heads=4,
                                          linear_key_head_dim=8, linear_value_head_dim=8,
                                          layer_types=["linear_attention", "full_attention", "linear_attention"])),
    "qwen3-5": (hf.Qwen3_5TextConfig, dict(GQA, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8,
                                         linear_value_head_dim=8, layer_types=["linear_attention", "full_attention", "linear_attention"])),
    "qwen3-5-moe": (hf.Qwen3_5MoeTextConfig, dict(
        GQA, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24, shared_expert_intermediate_size=24,
        linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention", "linear_attention"])),
    "llama4-steps": (hf.Llama4TextConfig, dict(
        GQA, head_dim=8, num_hidden_layers=5, intermediate_size_mlp=40, num_local_experts=4, num_experts_per_tok=1,
        interleave_moe_layer_step=2)),
    "lfm2": (hf.Lfm2Config, dict(GQA, layer_types=["conv", "full_attention", "conv"])),
    "distilbert-classifier": (hf.DistilBertConfig, dict(vocab_size=97, dim=32, hidden_dim=48, n_layers=3, n_heads=4,
                                                       max_position_embeddings=64, num_labels=2, pad_token_id=0)),
    "bert-classifier": (hf.BertConfig, dict(SMALL, num_labels=2)),
}
FLOAT32 = {"llama", "llama-tied-mha", "llama-headdim-bias", "llama3-rope", "llama-linear-rope", "llama-yarn-rope", "mistral", "qwen2", "qwen2-window",
           "gpt2", "gpt-neox", "gpt-neox-serial", "llama4-steps"}
BLOCKS = ["model.layers", "transformer.h", "gpt_neox.layers", "model.decoder.layers", "distilbert.transformer.layer",
          "bert.encoder.layer", "model.language_model.layers", "transformer.blocks"]


def find_blocks(model):
    for path in BLOCKS:
        try:
            return model.get_submodule(path)
        except AttributeError:
            continue
    raise SystemExit(f"no block list in {type(model).__name__}")


def randomise(model, generator):
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            if parameter.ndim == 1 and "bias" not in name and "sink" not in name:
                centre = 0.0 if model.config.model_type.startswith("gemma") else 1.0
                parameter.copy_(centre + 0.2 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(noise / parameter.shape[-1] ** 0.5)


def build(name, seed, changes=None):
    config_class, arguments = CASES[name]
    arguments = dict(arguments, **(changes or {}))
    arguments["attn_implementation"] = "eager"
    config = config_class(**arguments)
    kind = hf.AutoModelForSequenceClassification if name.endswith("classifier") else hf.AutoModelForCausalLM
    torch.manual_seed(seed)
    model = kind.from_config(config, attn_implementation="eager").float().eval()
    model.config._experts_implementation = "eager"
    randomise(model, torch.Generator().manual_seed(seed))
    if name not in FLOAT32:
        with torch.no_grad():
            for value in model.state_dict().values():
                value.copy_(value.bfloat16())
    return model


def reference(model, sequences):
    blocks, tensors, hold = find_blocks(model), {}, {}

    def entered(module, arguments, keywords):
        hold["embed"] = (arguments[0] if arguments else keywords["hidden_states"]).detach()

    def left(index):
        def hook(module, arguments, output):
            hold[f"block.{index}"] = (output[0] if isinstance(output, tuple) else output).detach()
        return hook

    hooks = [blocks[0].register_forward_pre_hook(entered, with_kwargs=True)]
    hooks += [block.register_forward_hook(left(i)) for i, block in enumerate(blocks)]
    model = model.double()
    for i, ids in enumerate(sequences):
        hold.clear()
        with torch.no_grad():
            hold["logits"] = model(torch.tensor([ids])).logits
        for key, value in hold.items():
            value = value.reshape(value.shape[-2:]) if value.ndim == 3 else value.reshape(value.shape[-1:]) if key == "logits" else value
            tensors[f"{i}.{key}"] = value.float().contiguous().clone()
    for hook in hooks:
        hook.remove()
    model.float()
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--change", default="{}", help="JSON of config fields to change in every case that is written")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.only.split(",") if args.only else CASES:
        generator = torch.Generator().manual_seed(args.seed + 1)
        sequences = [torch.randint(3, 97, (n,), generator=generator).tolist() for n in (1, 7, 23)]
        folder = os.path.join(args.out, name)
        try:
            model = build(name, args.seed, json.loads(args.change))
            tensors = reference(model, sequences)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:200]}")
            continue
        if name not in FLOAT32:
            model.bfloat16()
        model.save_pretrained(folder)
        save_file(tensors, os.path.join(folder, "reference.safetensors"))
        with open(os.path.join(folder, "inputs.json"), "w") as file:
            json.dump({"sequences": sequences}, file)
        change = [(tensors[f"2.block.{i}"] - tensors["2.embed" if i == 0 else f"2.block.{i - 1}"]).norm() for i in range(3)]
        change = [round(float(c), 1) for c in change]
        print(f"{name}: {type(model).__name__}, logits {tuple(tensors['2.logits'].shape)}, block change {change}", flush=True)


if __name__ == "__main__":
    main()
