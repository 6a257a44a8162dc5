"""Judge a model folder on tasks with lm-evaluation-harness, from local files alone, and print what it finds, item by item.

    lm_eval_tasks.py --model DIR --work DIR --data DIR --written DIR [--items 8] [--shots 0] [--chat FILE.jinja]

The tasks' files are written to --work in the form in which each set is published, as NAME.jsonl and NAME.shots.jsonl, for whoever is to read
the same. They are made of the files in --data, and for hellaswag, sciq and a task of one's own of those in --written. The harness asks by its
own task files, but for xquad and own, which it has not: those are xquad.yaml and own.yaml beside this script. The last line printed is JSON:
for every task its metrics, and for every item, in file order, its replies, [log-likelihood, greedy] or a text, and its marks by metric
and filter. Needs lm_eval, torch and transformers.
"""
import argparse
import importlib.resources
import itertools
import json
import os
import pathlib

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import lm_eval  # noqa: E402
import torch  # noqa: E402
from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks._yaml_loader import load_yaml  # noqa: E402

# Examples in front of a question are drawn from so many items behind those that are asked.
POOL = 12


def labels(count):
    return [chr(ord("A") + i) for i in range(count)]


def gsm8k(row):
    return {"question": row["context"], "answer": row["chain_of_thought"] + "\n#### " + row["answer"]}


def triviaqa(row):
    return {"question": row["context"].removeprefix("Question: ").removesuffix("?\nAnswer:"), "answer": {"aliases": row["aliases"]}}


def copa(row):
    premise, connector = row["query"].rsplit(", ", 1)
    one, two = (choice[0].upper() + choice[1:] for choice in row["choices"])
    return {"premise": premise + ".", "question": {"because": "cause", "therefore": "effect"}[connector], "choice1": one, "choice2": two,
            "label": row["gold"]}


def commonsense_qa(row):
    question, listed = row["query"].removeprefix("Question: ").removesuffix("\nAnswer:").split("\nChoices:\n")
    texts = [line.split(". ", 1)[1] for line in listed.split("\n")] + ["none of these"]
    return {"question": question, "choices": {"label": labels(5), "text": texts}, "answerKey": row["choices"][row["gold"]]}


def winogrande(row):
    before = os.path.commonprefix(row["context_options"])
    before = before[: before.rfind(" ") + 1]
    one, two = (option[len(before):] for option in row["context_options"])
    return {"sentence": before + "_ " + row["continuation"], "option1": one, "option2": two, "answer": str(row["gold"] + 1)}


def boolq(row):
    passage, question = row["query"].removeprefix("Passage: ").rsplit("\nQuestion: ", 1)
    return {"passage": passage, "question": question.strip().removesuffix("?"), "label": row["gold"]}


def lambada(row):
    return {"text": row["context"] + " " + row["continuation"]}


def pages(path):
    """The pages of WikiText: a heading of the first level has one equals sign on each side. The harness's own set is the raw one, in which no
    word is replaced by <unk>. Behind such a token, and where a text begins with a space, a LlamaTokenizer of transformers 5 adds no space though its
    tokenizer.json says so: neither is in the pages."""
    found = [[]]
    with open(path, encoding="utf-8") as file:
        for line in file.read().replace("<unk>", "unknown").split("\n"):
            if line.strip().startswith("= ") and not line.strip().startswith("= ="):
                found.append([])
            found[-1].append(line)
    return [{"page": "\n".join(page).lstrip(" ")} for page in found if "\n".join(page).strip()]


def arc(row):
    return {"question": row["query"].removeprefix("Question: "), "answerKey": labels(len(row["choices"]))[row["gold"]],
            "choices": {"text": row["choices"], "label": labels(len(row["choices"]))}}


def squad(path):
    with open(path, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    return [{"context": p["context"], "question": qa["question"], "answers": [a["text"] for a in qa["answers"]]}
            for a in articles for p in a["paragraphs"] for qa in p["qas"]]


# The harness's task file, ours where it has none; the set's file; and how a row of that becomes one as published.
TASKS = {
    "gsm8k": ("gsm8k/gsm8k.yaml", "gsm8k/mosaic_gsm8k.jsonl", gsm8k),
    "triviaqa": ("triviaqa/default.yaml", "triviaqa/mosaic_triviaqa_sm_sub.jsonl", triviaqa),
    "xquad": (None, "squad/xquad.en.json", None),
    "own": (None, None, None),
    "copa": ("super_glue/copa/default.yaml", "copa/mosaic_copa.jsonl", copa),
    "commonsense_qa": ("commonsense_qa/default.yaml", "commonsense_qa/mosaic_commonsense_qa.jsonl", commonsense_qa),
    "winogrande": ("winogrande/default.yaml", "winogrande/mosaic_winogrande.jsonl", winogrande),
    "boolq": ("super_glue/boolq/default.yaml", "boolq/mosaic_boolq.jsonl", boolq),
    "arc_challenge": ("arc/arc_challenge.yaml", "arc_challenge/mosaic_arc_challenge.jsonl", arc),
    "lambada_openai": ("lambada/lambada_openai.yaml", "lambada/mosaic_lambada_openai.jsonl", lambada),
    "wikitext": ("wikitext/wikitext.yaml", "wikitext-2/test.txt", None),
    "hellaswag": ("hellaswag/hellaswag.yaml", None, None),
    "sciq": ("sciq/sciq.yaml", None, None),
}


def published(args, name):
    """The rows of a set as published: those that are asked, and those that examples are drawn from."""
    _, path, convert = TASKS[name]
    count = args.items + POOL
    if name == "xquad":
        rows = squad(os.path.join(args.data, path))
    elif name == "wikitext":
        rows = pages(os.path.join(args.data, path))
    else:
        path = os.path.join(args.data, path) if path else os.path.join(args.written, name + ".jsonl")
        with open(path, encoding="utf-8") as file:
            rows = [json.loads(line) for line in itertools.islice(file, count)]
    rows = rows[:count]
    return [convert(row) for row in rows] if convert else rows


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def task(args, name):
    rows = published(args, name)
    asked = write(os.path.join(args.work, name + ".jsonl"), rows[: args.items])
    shots = write(os.path.join(args.work, name + ".shots.jsonl"), rows[args.items:])
    if TASKS[name][0]:
        path = importlib.resources.files("lm_eval") / "tasks" / TASKS[name][0]
    else:
        path = pathlib.Path(__file__).parent / (name + ".yaml")
    config = dict(load_yaml(path, resolve_func=True))
    for key in ("tag", "include", "group"):
        config.pop(key, None)
    here = {"task": name, "dataset_path": "json", "dataset_name": None,
            "dataset_kwargs": {"data_files": {"test": asked, "train": shots}, "cache_dir": args.work},
            "training_split": "train", "validation_split": None, "test_split": "test", "fewshot_split": "train", "num_fewshot": args.shots}
    return ConfigurableTask(config={**config, **here})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--written", required=True)
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--chat", default="")
    parser.add_argument("--only", default=",".join(TASKS))
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # the model is small, and threads that wait for each other suffer on a busy machine
    # One at a time: no padding, and no answer goes on because another one does.
    model = HFLM(pretrained=args.model, dtype="float32", batch_size=1, device="cpu")
    if args.chat:
        model.tokenizer.chat_template = pathlib.Path(args.chat).read_text(encoding="utf-8")
    tasks = [task(args, name) for name in args.only.split(",")]
    found = lm_eval.simple_evaluate(model=model, tasks=tasks, log_samples=True, bootstrap_iters=0, apply_chat_template=bool(args.chat))
    judged = {}
    for name, samples in found["samples"].items():
        items = {}
        for sample in samples:  # one a filter
            item = items.setdefault(sample["doc_id"], {"replies": [], "texts": [], "marks": {}})
            for reply in sample["resps"]:
                if isinstance(reply[0], str):
                    item["texts"] = [reply[0]]
                elif isinstance(reply[0], float):  # a text that is rolled has no flag
                    item["replies"] = [[reply[0], False]]
                elif len(item["replies"]) < len(sample["resps"]):
                    item["replies"].append([float(reply[0][0]), bool(reply[0][1])])
            for metric in sample["metrics"]:
                if isinstance(sample[metric], (tuple, list)):  # a text's log-likelihood and weight
                    continue
                item["marks"][metric + "," + sample["filter"]] = float(sample[metric])
        metrics = {key: value for key, value in found["results"][name].items() if isinstance(value, float) and "stderr" not in key}
        judged[name] = {"metrics": metrics, "items": [items[index] for index in sorted(items)]}
    print(json.dumps({"lm_eval": lm_eval.__version__, "tasks": judged}))


if __name__ == "__main__":
    main()
