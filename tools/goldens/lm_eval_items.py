"""Run lm-evaluation-harness on a local model and the local evaluation files, and keep what it says, item by item.

    lm_eval_items.py --model DIR --data EVAL --out FILE.json [--limit 200] [--qa qa.jsonl --sentiment sentiment.jsonl]

Needs lm_eval, torch, transformers. The output holds, a task: its metrics with their standard errors, and for every item the
log-likelihood (natural log, summed over the continuation's tokens) and greedy flag of every choice, in file order.
"""
import argparse
import json
import os

import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM

ACC = [{"metric": "acc"}, {"metric": "acc_norm"}]


def rows(path, limit):
    if path.endswith(".tsv"):
        pairs = [line.rstrip("\n").split("\t") for line in open(path)][:limit]
        return [{"sentence": sentence, "label": int(label)} for sentence, label in pairs]
    return [json.loads(line) for line in open(path)][:limit]


def task(name, data, work, **config):
    path = os.path.join(work, f"{name}.jsonl")
    with open(path, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in data)
    return ConfigurableTask(config={"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": path}},
                                    "test_split": "test", "metadata": {"version": 1.0}, **config})


def tasks(args):
    n, root, work = args.limit, args.data, args.work

    def choice(name, file, text, **more):
        return task(name, rows(os.path.join(root, file), n), work, output_type="multiple_choice", doc_to_text=text,
                    metric_list=ACC, **{"doc_to_choice": "{{choices}}", "doc_to_target": "gold", **more})

    piqa = [dict(row, label=int(label)) for row, label in
            zip(rows(os.path.join(root, "piqa/valid.jsonl"), n), open(os.path.join(root, "piqa/valid-labels.lst")))]
    stories = [{"page": s.strip()} for s in open(os.path.join(root, "tinystories/stories.txt")).read().split("<|endoftext|>")[2100:2100 + args.pages]]
    found = [
        choice("arc_easy", "arc_easy/mosaic_arc_easy.jsonl", "{{query}}\nAnswer:"),
        choice("openbookqa", "openbookqa/mosaic_openbook_qa.jsonl", "{{query}}"),
        task("piqa", piqa, work, output_type="multiple_choice", doc_to_text="Question: {{goal}}\nAnswer:", doc_to_target="label",
             doc_to_choice="{{[sol1, sol2]}}", metric_list=ACC),
        task("sst2", rows(os.path.join(root, "sst2/dev.tsv"), n), work, output_type="multiple_choice", metric_list=ACC[:1],
             doc_to_text="{{sentence}}\nQuestion: Is this sentence positive or negative?\nAnswer:", doc_to_target="label",
             doc_to_choice=["negative", "positive"]),
        task("winogrande", rows(os.path.join(root, "winogrande/mosaic_winogrande.jsonl"), n), work, output_type="multiple_choice",
             doc_to_text=lambda d: d["gold"], doc_to_target=lambda d: d["continuation"], doc_to_choice=lambda d: d["context_options"],
             metric_list=ACC[:1]),
        task("lambada_openai", rows(os.path.join(root, "lambada/mosaic_lambada_openai.jsonl"), n), work, output_type="loglikelihood",
             doc_to_text="{{context}}", doc_to_target="{{' '+continuation}}",
             metric_list=[{"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False}, {"metric": "acc"}]),
        task("tinystories_rolling", stories, work, output_type="loglikelihood_rolling", doc_to_text="", doc_to_target="page",
             metric_list=[{"metric": m} for m in ("word_perplexity", "byte_perplexity", "bits_per_byte")]),
    ]
    for name, path in (("small_world_qa", args.qa), ("small_world_sentiment", args.sentiment)):
        if path:
            found.append(task(name, rows(path, n), work, output_type="multiple_choice", doc_to_text="{{context}}",
                              doc_to_choice="{{choices}}", doc_to_target="gold", metric_list=ACC))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", default="/tmp")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--qa")
    parser.add_argument("--sentiment")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    model = HFLM(pretrained=args.model, dtype="float32", batch_size=16, device="cpu")
    found = tasks(args)
    if args.only:
        found = [t for t in found if t.config.task in args.only.split(",")]
    result = lm_eval.simple_evaluate(model=model, tasks=found, log_samples=True, bootstrap_iters=0)
    out = {"lm_eval": lm_eval.__version__, "max_length": model.max_length, "add_bos_token": model.add_bos_token, "tasks": {}}
    for name, samples in result["samples"].items():
        samples = sorted(samples, key=lambda sample: sample["doc_id"])
        items = []
        for sample in samples[:: 1]:
            replies = sample["resps"]
            items.append([reply[0] for reply in replies])
        out["tasks"][name] = {"n": len({sample["doc_id"] for sample in samples}),
                              "metrics": {k: v for k, v in result["results"][name].items() if isinstance(v, float)},
                              "items": items}
    with open(args.out, "w") as file:
        json.dump(out, file)
    for name, entry in out["tasks"].items():
        print(name, entry["n"], {k: round(v, 4) for k, v in entry["metrics"].items()}, entry["items"][0])


if __name__ == "__main__":
    main()
