"""Train small SentencePiece models and write what the sentencepiece library makes of odd texts.

    sentencepiece_models.py OUT

OUT/NAME.model.gz and OUT/NAME.cases.json.gz: [{"text", "ids"}]. The texts are those of sentencepiece_texts.json, which the tests of the
tokenizer drew once from odd parts (oddTexts(42, 400)). Needs sentencepiece.
"""
import gzip
import io
import json
import pathlib
import sys

import sentencepiece

texts = json.loads(pathlib.Path(__file__).with_name("sentencepiece_texts.json").read_text())
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
corpus = [t.replace("\n", " ").replace("\0", "") for t in texts] + [
    "The cat sat on the mat, and the other cat sat on the other mat.",
    "Training a small model takes a few lines of plain text and a little time.",
    "All the words of the world are made of letters; letters are made of strokes.",
] * 40
rough = dict(normalization_rule_name="identity", character_coverage=0.98)
spaced = dict(rough, remove_extra_whitespaces=False)
kinds = {
    "unigram-nfkc": dict(model_type="unigram", vocab_size=420, normalization_rule_name="nmt_nfkc"),
    "unigram-bytes": dict(spaced, model_type="unigram", vocab_size=600, byte_fallback=True),
    "bpe-bytes": dict(spaced, model_type="bpe", vocab_size=700, byte_fallback=True),
    "bpe-nfkc": dict(rough, model_type="bpe", vocab_size=450, normalization_rule_name="nmt_nfkc_cf"),
    "bpe-user": dict(spaced, model_type="bpe", vocab_size=500, user_defined_symbols=["the", "ab", "\u25b1\u25b1"], add_dummy_prefix=False),
    "bpe-suffix": dict(rough, model_type="bpe", vocab_size=450, treat_whitespace_as_suffix=True, normalization_rule_name="nfkc"),
    "unigram-user": dict(rough, model_type="unigram", vocab_size=450, user_defined_symbols=["the", "mat"], add_dummy_prefix=False),
}
for name, options in kinds.items():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=model, hard_vocab_limit=False, num_threads=1,
                                             minloglevel=2, max_sentence_length=1 << 20, **options)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    cases = [{"text": t, "ids": processor.encode(t)} for t in texts if not any(m in t for m in ("<s>", "</s>", "<unk>", "\0"))]
    for suffix, data in (("model", model.getvalue()), ("cases.json", json.dumps(cases).encode())):
        (folder / f"{name}.{suffix}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
