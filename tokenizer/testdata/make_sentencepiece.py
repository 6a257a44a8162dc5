"""Trains the small SentencePiece models of testdata/sentencepiece and writes what the sentencepiece library makes of odd texts.

usage: make_sentencepiece.py TEXTS.json FOLDER     TEXTS.json: a list of strings
"""
import gzip
import io
import json
import pathlib
import sys

import sentencepiece

texts = json.loads(pathlib.Path(sys.argv[1]).read_text())
folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
corpus = [t.replace("\n", " ").replace("\0", "") for t in texts] + [
    "The cat sat on the mat, and the other cat sat on the other mat.",
    "Training a small model takes a few lines of plain text and a little time.",
    "All the words of the world are made of letters; letters are made of strokes.",
] * 40
kinds = {
    "unigram-nfkc": dict(model_type="unigram", vocab_size=420, normalization_rule_name="nmt_nfkc"),
    "unigram-bytes": dict(model_type="unigram", vocab_size=600, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98),
    "bpe-bytes": dict(model_type="bpe", vocab_size=700, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98),
    "bpe-nfkc": dict(model_type="bpe", vocab_size=450, normalization_rule_name="nmt_nfkc_cf", character_coverage=0.98),
    "bpe-user": dict(model_type="bpe", vocab_size=500, user_defined_symbols=["the", "ab", "\u25b1\u25b1"], add_dummy_prefix=False, normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98),
    "bpe-suffix": dict(model_type="bpe", vocab_size=450, treat_whitespace_as_suffix=True, normalization_rule_name="nfkc", character_coverage=0.98),
    "unigram-user": dict(model_type="unigram", vocab_size=450, user_defined_symbols=["the", "mat"], add_dummy_prefix=False, normalization_rule_name="identity", character_coverage=0.98),
}
for name, options in kinds.items():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=model, hard_vocab_limit=False, num_threads=1,
                                             minloglevel=2, max_sentence_length=1 << 20, **options)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    cases = [{"text": t, "ids": processor.encode(t)} for t in texts if not any(m in t for m in ("<s>", "</s>", "<unk>", "\0"))]
    for suffix, data in (("model", model.getvalue()), ("cases.json", json.dumps(cases).encode())):
        (folder / f"{name}.{suffix}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
