"""Make small random models that see or hear, each around a language model, as transformers writes them.

    wrapped_make.py OUT [NAME...]

Each OUT/NAME has config.json, model.safetensors and inputs.json ({"sequences": [[ids], ...]}, text alone). Weights are drawn so that a
missing term shows: norms away from one, biases away from zero.
"""
import json
import os
import sys

import torch
import transformers as hf

TEXT = dict(vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
            bos_token_id=1, eos_token_id=2, pad_token_id=0)
WINDOWED = ["sliding_attention", "full_attention", "sliding_attention"]
LINEAR = ["linear_attention", "full_attention", "linear_attention"]
DELTA = dict(head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8, layer_types=LINEAR)
EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24)

CLIP = dict(model_type="clip_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=16,
            patch_size=8, projection_dim=16, vocab_size=97)
SIGLIP = dict(model_type="siglip_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8)
PIXTRAL = dict(model_type="pixtral", hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8, head_dim=8)
QWEN2 = dict(depth=2, embed_dim=16, hidden_size=32, num_heads=2, mlp_ratio=2, patch_size=4)
QWEN25 = dict(depth=2, hidden_size=16, intermediate_size=16, out_hidden_size=32, num_heads=2, patch_size=4, fullatt_block_indexes=[1])
QWEN3 = dict(depth=2, hidden_size=16, intermediate_size=16, out_hidden_size=32, num_heads=2, patch_size=4, num_position_embeddings=16, deepstack_visual_indexes=[0])
TOKENS = dict(image_token_id=90, video_token_id=91, vision_start_token_id=92, vision_end_token_id=93)
OLD = dict(image_token_index=90)
MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
AUDIO = dict(num_mel_bins=8, d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, max_source_positions=16)

# class, text_config beside TEXT, and the rest of the configuration
CASES = {
    "gemma3": ("Gemma3", dict(model_type="gemma3_text", head_dim=12, sliding_window=5, query_pre_attn_scalar=20, layer_types=WINDOWED),
               dict(vision_config=SIGLIP, mm_tokens_per_image=4, image_token_index=90, boi_token_index=91, eoi_token_index=92)),
    "llama4": ("Llama4", dict(model_type="llama4_text", head_dim=8, intermediate_size_mlp=48, num_local_experts=4, num_experts_per_tok=1,
                              attention_chunk_size=8, no_rope_layers=[1, 1, 0], moe_layers=[1]),
               dict(vision_config=dict(hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8,
                                       vision_output_dim=16, projector_input_dim=16, projector_output_dim=16), image_token_index=90)),
    "mistral3": ("Mistral3", dict(model_type="mistral", head_dim=8, sliding_window=None), dict(vision_config=PIXTRAL, tie_word_embeddings=False, **OLD)),
    "mistral3-ministral3": ("Mistral3", dict(model_type="ministral3", head_dim=8), dict(vision_config=PIXTRAL, tie_word_embeddings=True, **OLD)),
    "qwen3-5": ("Qwen3_5", dict(model_type="qwen3_5_text", **DELTA), dict(vision_config=dict(QWEN3), **TOKENS)),
    "qwen3-5-moe": ("Qwen3_5Moe", dict(model_type="qwen3_5_moe_text", shared_expert_intermediate_size=24, **DELTA, **EXPERTS), dict(vision_config=dict(QWEN3), **TOKENS)),
    "qwen2-vl": ("Qwen2VL", dict(model_type="qwen2_vl_text", rope_parameters=MROPE), dict(vision_config=QWEN2, **TOKENS)),
    "qwen2-5-vl": ("Qwen2_5_VL", dict(model_type="qwen2_5_vl_text", rope_parameters=MROPE), dict(vision_config=QWEN25, tie_word_embeddings=True, **TOKENS)),
    "qwen3-vl": ("Qwen3VL", dict(model_type="qwen3_vl_text", head_dim=8, rope_parameters=dict(MROPE, mrope_interleaved=True)), dict(vision_config=QWEN3, **TOKENS)),
    "qwen3-vl-moe": ("Qwen3VLMoe", dict(model_type="qwen3_vl_moe_text", head_dim=8, rope_parameters=dict(MROPE, mrope_interleaved=True), **EXPERTS),
                     dict(vision_config=QWEN3, **TOKENS)),
    "llava": ("Llava", dict(model_type="llama"), dict(vision_config=CLIP, **OLD)),
    "llava-next": ("LlavaNext", dict(model_type="mistral"), dict(vision_config=CLIP, **OLD)),
    "llava-next-video": ("LlavaNextVideo", dict(model_type="llama"), dict(vision_config=CLIP, **OLD)),
    "llava-onevision": ("LlavaOnevision", dict(model_type="qwen2"), dict(vision_config=SIGLIP, tie_word_embeddings=True, **OLD)),
    "video-llava": ("VideoLlava", dict(model_type="llama"), dict(vision_config=CLIP, image_token_index=90, video_token_index=91)),
    "vipllava": ("VipLlava", dict(model_type="llama"), dict(vision_config=CLIP, vision_feature_layers=[-1, -2], **OLD)),
    "aya-vision": ("AyaVision", dict(model_type="cohere2", sliding_window=5, layer_types=WINDOWED), dict(vision_config=SIGLIP, **OLD)),
    "cohere2-vision": ("Cohere2Vision", dict(model_type="cohere2", sliding_window=5, layer_types=WINDOWED), dict(vision_config=SIGLIP)),
    "internvl": ("InternVL", dict(model_type="qwen3", head_dim=8), dict(vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2,
                                                                    num_attention_heads=2, image_size=[16, 16], patch_size=[8, 8]), image_token_id=90, tie_word_embeddings=False)),
    "idefics3": ("Idefics3", dict(model_type="llama"), dict(vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
                                                                          image_size=16, patch_size=8), image_token_id=90)),
    "smolvlm": ("SmolVLM", dict(model_type="llama"), dict(vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
                                                                        image_size=16, patch_size=8), image_token_id=90, tie_word_embeddings=True)),
    "lfm2-vl": ("Lfm2Vl", dict(model_type="lfm2", layer_types=["conv", "full_attention", "conv"]),
                dict(vision_config=dict(model_type="siglip2_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
                                        patch_size=4, num_patches=16), image_token_id=90)),
    "voxtral": ("Voxtral", dict(model_type="llama"), dict(audio_config=dict(model_type="voxtral_encoder", vocab_size=97, hidden_size=16, intermediate_size=64, num_hidden_layers=1,
                                                                          num_attention_heads=2, num_mel_bins=8, max_source_positions=16), audio_token_id=90)),
    "qwen2-audio": ("Qwen2Audio", dict(model_type="qwen2"), dict(audio_config=dict(AUDIO, model_type="qwen2_audio_encoder"), audio_token_index=90)),
    "granite-speech": ("GraniteSpeech", dict(model_type="granite", embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.6, logits_scaling=2.0),
                       dict(encoder_config=dict(input_dim=8, num_layers=1, hidden_dim=16, num_heads=2, dim_head=8, output_dim=8, context_size=8),
                            projector_config=dict(model_type="blip_2_qformer", hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                                                  encoder_hidden_size=16), has_lora_adapter=False, tie_word_embeddings=True)),
    "got-ocr2": ("GotOcr2", dict(model_type="qwen2"), dict(vision_config=dict(hidden_size=16, output_channels=8, num_hidden_layers=1, num_attention_heads=2, image_size=32,
                                                                            patch_size=8, mlp_dim=16, window_size=2, global_attn_indexes=[0]), image_token_index=90)),
    "lighton-ocr": ("LightOnOcr", dict(model_type="qwen3", head_dim=8), dict(vision_config=PIXTRAL, image_token_id=90)),
    "exaone4-5": ("Exaone4_5_", dict(model_type="exaone4", sliding_window=5, layer_types=WINDOWED),
                  dict(vision_config=dict(depth=2, hidden_size=16, intermediate_size=16, out_hidden_size=32, num_heads=2, num_key_value_heads=2, patch_size=4,
                                          fullatt_block_indexes=[1]), image_token_id=90, video_token_id=91)),
    "ovis2": ("Ovis2", dict(model_type="qwen2"), dict(vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8,
                                                                       num_visual_indicator_tokens=2, vocab_size=64), image_token_id=90, visual_indicator_token_ids=[91, 92],
                                                   vocab_size=97, hidden_size=32)),
}


def randomise(model, centred):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(noise / parameter.shape[-1] ** 0.5)
            else:
                parameter.copy_(0.2 * noise + (0.0 if centred or "bias" in name else 1.0))


def build(name):
    kind, text, rest = CASES[name]
    wanted = dict(TEXT, **text)
    config = getattr(hf, kind + "Config")(text_config=wanted, **rest)
    config._attn_implementation = "eager"
    model = getattr(hf, kind + "ForConditionalGeneration")._from_config(config, attn_implementation="eager").float().eval()
    randomise(model, text["model_type"].startswith(("gemma", "qwen3_5")))
    return model


def main():
    out, names = sys.argv[1], sys.argv[2:] or list(CASES)
    torch.set_num_threads(1)
    hf.utils.logging.set_verbosity_error()
    hf.utils.logging.disable_progress_bar()
    generator = torch.Generator().manual_seed(2)
    sequences = [torch.randint(3, 90, (n,), generator=generator).tolist() for n in (1, 7, 23)]
    failed = False
    for name in names:
        try:
            build(name).save_pretrained(os.path.join(out, name))
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
            failed = True
            continue
        with open(os.path.join(out, name, "inputs.json"), "w") as file:
            json.dump({"sequences": sequences}, file)
    sys.exit(failed)


if __name__ == "__main__":
    main()
