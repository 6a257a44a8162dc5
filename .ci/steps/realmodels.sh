# Trained models from elsewhere, dense and pruned by run: tokens, logits and what is generated are those of transformers and llama.cpp.
# debian: gcc libc6-dev
# python: peers llama
# models: smollm2 gemma3
# data: yes
AVSSNATIVE_REAL_MODELS=$build/models tests -run TestRealModelsAtLength -count=1 -timeout 60m -v ./internal/peers
