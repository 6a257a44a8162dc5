"""Judge a model folder with lm-evaluation-harness, from local files alone, and print what it finds, item by item.

    lm_eval_judge.py --model DIR --work DIR [--small-world DIR] [--data DIR] [--small-world-items 40] [--data-items 20]

--small-world holds qa.jsonl and sentiment.jsonl; --data holds sst2/dev.tsv and arc_easy/mosaic_arc_easy.jsonl, which are asked by the
harness's own task files. The last line printed is JSON: for every task its metrics, and for every item, in file order, the log-likelihood
(natural logarithm, summed over the continuation's tokens) and greedy flag of every choice. Needs lm_eval, torch and transformers.
"""
import argparse
import importlib.resources
import itertools
import json
import os

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import lm_eval  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402


def first(path, count):
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in itertools.islice(file, count)]


def task(work, name, rows, config):
    """A task of the harness over rows that lie in a file of their own."""
    path = os.path.join(work, name + ".jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    here = {"task": name, "dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": {"test": path}, "cache_dir": work},
            "training_split": None, "validation_split": None, "test_split": "test"}
    return ConfigurableTask(config={**config, **here})


def small_world(args, name):
    rows = [json.loads(line) for line in first(os.path.join(args.small_world, name + ".jsonl"), args.small_world_items)]
    return task(args.work, "small_world_" + name, rows, {
        "output_type": "multiple_choice", "doc_to_text": "{{context}}", "doc_to_choice": "{{choices}}", "doc_to_target": "gold",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}], "metadata": {"version": 1.0}})


def stock(path):
    """The harness's own task file."""
    return yaml.safe_load((importlib.resources.files("lm_eval") / "tasks" / path).read_text())


def sst2(args):
    pairs = [line.split("\t") for line in first(os.path.join(args.data, "sst2", "dev.tsv"), args.data_items)]
    return task(args.work, "sst2", [{"sentence": sentence, "label": int(label)} for sentence, label in pairs], stock("glue/sst2/default.yaml"))


def arc_easy(args):
    """The file has the question behind its heading and the place of the right choice; the harness wants the original's columns."""
    rows = []
    for line in first(os.path.join(args.data, "arc_easy", "mosaic_arc_easy.jsonl"), args.data_items):
        row = json.loads(line)
        labels = [chr(ord("A") + i) for i in range(len(row["choices"]))]
        rows.append({"question": row["query"].removeprefix("Question: "), "answerKey": labels[row["gold"]],
                     "choices": {"text": row["choices"], "label": labels}})
    return task(args.work, "arc_easy", rows, stock("arc/arc_easy.yaml"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--small-world", default="")
    parser.add_argument("--data", default="")
    parser.add_argument("--small-world-items", type=int, default=40)
    parser.add_argument("--data-items", type=int, default=20)
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # the model is small, and threads that wait for each other suffer on a busy machine
    tasks = []
    if args.small_world:
        tasks += [small_world(args, "qa"), small_world(args, "sentiment")]
    if args.data:
        tasks += [sst2(args), arc_easy(args)]
    model = HFLM(pretrained=args.model, dtype="float32", batch_size=16, device="cpu")
    found = lm_eval.simple_evaluate(model=model, tasks=tasks, log_samples=True, bootstrap_iters=0)
    judged = {}
    for name, samples in found["samples"].items():
        samples = sorted(samples, key=lambda sample: sample["doc_id"])
        seen = {}  # one sample a filter; the replies are the same in all
        for sample in samples:
            seen.setdefault(sample["doc_id"], [[float(reply[0][0]), bool(reply[0][1])] for reply in sample["resps"]])
        metrics = {key.split(",")[0]: value for key, value in found["results"][name].items()
                   if isinstance(value, float) and "stderr" not in key}
        judged[name] = {"metrics": metrics, "items": [seen[index] for index in sorted(seen)]}
    print(json.dumps({"lm_eval": lm_eval.__version__, "layers": model.model.config.num_hidden_layers, "tasks": judged}))


if __name__ == "__main__":
    main()
