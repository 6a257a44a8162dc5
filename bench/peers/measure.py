"""Measure avssnative against other programs, in turn, and write what was found; bench/peers/run starts this.

Within a round every program does the job once, one after the other (A B C A B C …, every other round in the other order), each timing after
the machine was found idle; a timing during which other programs used more than a twentieth of the machine is done again. Before the rounds each
program does the job twice unmeasured, and what they found is compared (losses, scores; in bf16 losses of one pass alone): programs that do not
agree are not measured.
"""
import argparse
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import time

import machine
import page
from protocol import Failed, Program

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ["AVSSNATIVE_BENCH_CACHE"]
OURS = "avssnative"
SECTIONS = ["forward", "large", "job", "removal", "busy", "generation", "own"]
TORCH = {"eager": "torch eager", "compile": "torch.compile", "hooks": "hook script", "headless": "hook script without the head", "loop": "transformers loop"}


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


class Measurement:
    """The options, the files, and the programs of one shape and precision."""

    def __init__(self, args):
        self.args = args
        self.threads = args.threads or machine.CORES
        self.ids = os.path.join(CACHE, "ids.json")
        draw = random.Random(2411)
        with open(self.ids, "w") as file:
            json.dump([[draw.randrange(1000 if args.quick else 32000) for _ in range(2048)] for _ in range(64)], file)

    def folder(self, shape, compute):
        """The model's folder, written if it is not there."""
        kind = {"f32": "F32", "bf16": "BF16"}[compute]
        folder = os.path.join(CACHE, f"{shape}-{kind}")
        if not os.path.exists(os.path.join(folder, "config.json")):  # written last
            say(f"writing {shape} in {kind}")
            subprocess.run([os.path.join(CACHE, "bin", "model"), "--shape", shape, "--type", kind, "--out", folder], check=True)
        return folder

    def gguf(self, shape, compute):
        folder = self.folder(shape, compute)
        if not os.path.exists(folder + ".gguf"):
            say(f"writing {folder}.gguf")
            subprocess.run([sys.executable, os.path.join(HERE, "gguf_of.py"), "--model", folder, "--out", folder + ".gguf"], check=True)
        return folder + ".gguf"

    def program(self, name, shape, compute):
        common = ["--ids", self.ids, "--threads", str(self.threads)]
        folder = self.folder(shape, compute)
        command = {
            OURS: lambda: [os.path.join(CACHE, "bin", "timed"), "--serve", "--model", folder, "--shape", shape, "--compute", compute],
            "torch": lambda: [sys.executable, os.path.join(HERE, "peer_torch.py"), "--model", folder, "--compute", compute],
            "llama.cpp": lambda: [sys.executable, os.path.join(HERE, "peer_llama.py"), "--model", self.gguf(shape, compute)],
        }[name]() + common
        say(f"starting {name}, {shape}, {compute}")
        return Program(name, command, os.path.join(CACHE, f"{name}.log"))

    def written(self, name, gguf, compute):
        """A program with a .gguf that somebody else has trained."""
        common = ["--ids", self.ids, "--threads", str(self.threads), "--model", gguf]
        command = {
            OURS: [os.path.join(CACHE, "bin", "timed"), "--serve", "--shape", "", "--compute", compute],
            "llama.cpp": [sys.executable, os.path.join(HERE, "peer_llama.py")],
        }[name] + common
        say(f"starting {name}, {gguf}, {compute}")
        return Program(name, command, os.path.join(CACHE, f"{name}.log"))

    def timed(self, program, request, quiet=True):
        """Seconds of one job, with nothing else on the machine if quiet."""
        for _ in range(20):
            if quiet and not self.args.no_wait:
                machine.wait_until_idle()
            before, own = machine.used(), program.used()
            answer = program.ask(request)
            others = machine.used() - before - (program.used() - own)
            if not quiet or self.args.no_wait or others < 0.05 * machine.CORES * answer["seconds"] * answer["times"] + 0.03:
                return answer["seconds"]
            say(f"{program.name}: others used {others:.2f} s meanwhile; again")
        raise SystemExit("measure: the machine does not stay idle")

    def contest(self, contenders, rounds, tolerance):
        """Seconds of each round for every contender: (label, program, request). A contender that cannot do the job is left out and says why."""
        able, failed, found = [], {}, {}
        for label, program, request in contenders:
            try:
                answer = program.ask({**request, "Seconds": 0, "Check": True})
                program.ask({**request, "Seconds": 0})
            except Failed as fault:
                say(f"{label}: left out: {fault}")
                failed[label] = str(fault)
                continue
            able.append((label, program, request))
            found[label] = (answer.get("found", {}), answer.get("flops"))
        agree(found, tolerance)
        seconds = {label: [] for label, _, _ in able}
        for turn in range(rounds):
            for label, program, request in (able if turn % 2 == 0 else reversed(able)):
                seconds[label].append(self.timed(program, {**request, "Seconds": self.args.seconds}))
        say(", ".join(f"{label} {statistics.median(times):.3f} s" for label, times in seconds.items()))
        return seconds, found[OURS][1], failed

    def peak(self, ours):
        """The best of some looks at the peak, in operations a second."""
        looks = []
        for _ in range(3):
            if not self.args.no_wait:
                machine.wait_until_idle()
            looks.append(ours.ask({"Job": "peak", "Seconds": 0})["peak"])
        return max(looks)


def agree(found, tolerance):
    """Programs that did the same work found the same; tolerance is relative, by what is compared."""
    ours = found[OURS][0]
    for label, (theirs, _) in found.items():
        for what, allowed in tolerance.items():
            if what in theirs and what in ours:
                for i, (a, b) in enumerate(zip(map(float, ours[what]), map(float, theirs[what]), strict=True)):
                    if not abs(a - b) <= allowed * abs(b) + 1e-6 and a != b:
                        raise SystemExit(f"measure: {what} {i}: {OURS} has {a}, {label} has {b}")


def ratio(seconds, label):
    each = [b / a for a, b in zip(seconds[OURS], seconds[label])]
    return f"{statistics.median(each):.2f} ({min(each):.2f}–{max(each):.2f})"


def rows(what, compute, seconds, tokens, flops, peak, failed):
    """Lines of a table: tokens a second, the ratio, and the share of the peak where everybody does the same arithmetic."""
    for label, times in seconds.items():
        middle = statistics.median(times)
        share = f"{100 * flops / middle / peak:.1f} %" if flops and (label == OURS or what[0] == "T") else "–"
        yield [what, compute, label, f"{middle:.3f}", f"{tokens / middle:.0f}", "1" if label == OURS else ratio(seconds, label), share]
    for label in failed:
        yield [what, compute, label, "failed", "–", "–", "–"]


HEAD = ["what", "products", "program", "seconds", "tokens/s", "time against avssnative (range)", "of peak"]


def forward(m):
    return passes(m, "small", "Forward", "12 layers × 768, 134 million weights")


def large(m):
    return passes(m, "1b", "Forward, a larger model", "22 layers × 2048, 1.1 billion weights")


def passes(m, shape, title, about):
    """One sequence through the whole model, with logits (peers) or log-likelihoods (avssnative) of every token."""
    lines, programs = [], {}
    if m.args.quick:
        shape = "quick"
    for compute in m.args.compute.split(","):
        opened = {name: m.program(name, shape, compute) for name in [OURS, "torch"] + (["llama.cpp"] if m.args.with_llama else [])}
        programs.update({p.name: p.info for p in opened.values()})
        peak = m.peak(opened[OURS])
        for tokens in ([64, 128] if m.args.quick else [512, 2048]):
            request = {"Job": "forward", "Sequences": 1, "Tokens": tokens}
            contenders = [(OURS, opened[OURS], request)]
            contenders += [(TORCH[mode], opened["torch"], {**request, "Mode": mode}) for mode in ("eager", "compile")]
            contenders += [("llama.cpp", opened["llama.cpp"], request)] if m.args.with_llama else []
            seconds, flops, failed = m.contest(contenders, m.args.rounds, {"loss": 1e-4 if compute == "f32" else 5e-3})
            lines += rows(f"T = {tokens}", compute, seconds, tokens, flops, peak, failed)
        for program in opened.values():
            program.close()
    return (title, programs, "One sequence through the whole model: token ids in, the logits of every token out (avssnative: their log-likelihoods; no tensor of logits exists). "
            f"The model is {about}, a vocabulary of 32,000. f32 weights are stored as F32, bf16 ones as BF16.", page.table(HEAD, lines))


def simple(m, job, count, tokens, modes, tolerance, title, about):
    """A job of several sequences on the small shape, against transformers alone."""
    lines, programs, shape = [], {}, "quick" if m.args.quick else "small"
    if m.args.quick:
        count, tokens = min(count, 8), 64
    for compute in m.args.compute.split(","):
        opened = {name: m.program(name, shape, compute) for name in (OURS, "torch")}
        programs.update({p.name: p.info for p in opened.values()})
        request = {"Job": job, "Sequences": count, "Tokens": tokens}
        contenders = [(OURS, opened[OURS], request)] + [(TORCH[mode], opened["torch"], {**request, "Mode": mode}) for mode in modes]
        peak = m.peak(opened[OURS])
        seconds, flops, failed = m.contest(contenders, min(m.args.rounds, 3), tolerance if compute == "f32" else {})
        lines += rows(f"{count} × {tokens} tokens", compute, seconds, count * tokens, flops, peak, failed)
        for program in opened.values():
            program.close()
    return title, programs, about, page.table(HEAD, lines)


def job(m):
    return simple(m, "measure", 64, 512, ("hooks", "headless"), {"bi": 1e-3, "avss-paper": 0.05}, "The job: scores of all layers",
                  "12 layers × 768. avssnative computes every activation metric at every site, with bootstrap intervals and split halves; the hook script, in "
                  "batches of 4, only block influence and AVSS as published, once as people write it and once without computing the logits it does not need.")


def removal(m):
    return simple(m, "removal", 4, 512, ("loop",), {"losses": 1e-4}, "Every layer removed in turn",
                  "The loss of the whole model of 12 layers × 768 and of the 12 models that lack one layer. The loop takes a module out of the list, computes, and "
                  "puts it back; avssnative walks all of them together. tokens/s counts the text once. The share of the peak is of what avssnative computes, which is "
                  "less than what the loop does.")


def busy(m):
    """The same pass with the machine idle and with one other process on each core."""
    lines, programs, shape = [], {}, "quick" if m.args.quick else "small"
    tokens = 128 if m.args.quick else 512
    request = {"Job": "forward", "Sequences": 1, "Tokens": tokens}
    opened = {name: m.program(name, shape, "f32") for name in [OURS, "torch"] + (["llama.cpp"] if m.args.with_llama else [])}
    for name, program in opened.items():
        programs[name] = program.info
        asked = {**request, "Mode": "eager"}
        alone, beside = [], []
        try:
            program.ask({**asked, "Seconds": 0})
            for _ in range(m.args.rounds):
                alone.append(m.timed(program, {**asked, "Seconds": m.args.seconds}))
                with machine.Burners():
                    beside.append(m.timed(program, {**asked, "Seconds": 3 * m.args.seconds}, quiet=False))
        except Failed as fault:
            say(f"{name}: left out: {fault}")
            lines.append([name, "failed", "–", "–", "–"])
            continue
        each = [b / a for a, b in zip(alone, beside)]
        say(f"{name}: {statistics.median(each):.2f} × as long on a busy machine")
        lines.append([name, f"{tokens / statistics.median(alone):.0f}", f"{tokens / statistics.median(beside):.0f}",
                      f"{statistics.median(each):.2f} ({min(each):.2f}–{max(each):.2f})", "2.00"])
    for program in opened.values():
        program.close()
    return ("On a busy machine", programs, f"A forward pass of {tokens} tokens, f32, alone and with one other process that computes on each core. A fair share is then half of each core.",
            page.table(["program", "tokens/s alone", "tokens/s beside others", "times as long (range)", "by its share"], lines))


def generation(m):
    """A prompt with the logits of all its tokens, and greedy tokens one after the other, from .gguf files that others have trained."""
    if not m.args.gguf:
        raise SystemExit("measure: generation: give --gguf FILE,FILE")
    lines, programs = [], {}
    prompt, new = (32, 8) if m.args.quick else (512, 128)
    for gguf in m.args.gguf.split(","):
        opened = {compute: m.written(OURS, gguf, compute) for compute in ("f32", "int8")}
        if m.args.with_llama:
            opened["llama.cpp"] = m.written("llama.cpp", gguf, "")
        programs.update({p.name: p.info for p in opened.values()})
        name = os.path.basename(gguf).removesuffix(".gguf")
        for what, tokens, request, tolerance in (
            (f"prompt of {prompt}", prompt, {"Job": "forward", "Sequences": 1, "Tokens": prompt}, {"loss": 0.02}),
            (f"{new} tokens", new, {"Job": "generate", "Sequences": 1, "Tokens": 8, "New": new}, {}),
        ):
            labels = {"f32": OURS, "int8": f"{OURS}, int8", "llama.cpp": "llama.cpp"}
            seconds, _, failed = m.contest([(labels[each], program, request) for each, program in opened.items()], m.args.rounds, tolerance)
            for label, times in seconds.items():
                middle = statistics.median(times)
                lines.append([name, what, label, f"{middle:.3f}", f"{tokens / middle:.1f}", "1" if label == OURS else ratio(seconds, label)])
            lines += [[name, what, label, "failed", "–", "–"] for label in failed]
        for program in opened.values():
            program.close()
    return ("Generation", programs, f"A prompt of {prompt} tokens with the logits of every one (avssnative: their log-likelihoods), and the {new} most likely tokens behind a prompt "
            "of 8, one after the other, whatever they say. llama.cpp quantises activations to 8 bits wherever a weight is stored in blocks, as avssnative does with int8 alone.",
            page.table(["model", "what", "program", "seconds", "tokens/s", "time against avssnative (range)"], lines))


def own(m):
    """The project's own benchmarks, as go test prints them."""
    lines = []
    for package, pattern in (("./kernels/cpu", "Measure" if m.args.quick else "Product|Attention|Measure"), ("./engine", "^BenchmarkPass"), ("./bench", "Sweep")):
        command = ["go", "test", "-run", "^$", "-bench", pattern, "-count", "1" if m.args.quick else "3", package]
        command += ["-short", "-benchtime", "1x"] if m.args.quick else []
        if not m.args.no_wait:
            machine.wait_until_idle()
        say(shlex.join(command))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"measure: {shlex.join(command)}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        lines += ["    $ " + shlex.join(command)] + ["    " + re.sub(r"[ \t]+", " ", line) for line in done.stdout.splitlines() if line.startswith("Benchmark")] + [""]
    return "Own benchmarks", {}, "The share of the peak is measured in the same run.", "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="bench/peers/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between: " + ", ".join(SECTIONS))
    parser.add_argument("--with-llama", action="store_true", help="llama-cpp-python too")
    parser.add_argument("--gguf", default="", help="trained models for generation: .gguf files, with commas between")
    parser.add_argument("--compute", default="f32,bf16", help="precisions, with commas between")
    parser.add_argument("--threads", type=int, default=0, help="threads of every program; 0: as many as there are cores")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="a timing repeats its job until so much time has passed")
    parser.add_argument("--out", default="", help="the page; docs/benchmarks.md, and with --quick build/benchmarks-quick.md")
    parser.add_argument("--no-wait", action="store_true", help="measure on a busy machine too; such figures say little")
    parser.add_argument("--quick", action="store_true", help="small shapes, two rounds, no waiting")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.no_wait = 2, 0.05, True
    wanted = args.only.split(",")
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"unknown sections {', '.join(sorted(unknown))}; known: {', '.join(SECTIONS)}")
    out = args.out or os.path.join(ROOT, "build/benchmarks-quick.md" if args.quick else "docs/benchmarks.md")
    m = Measurement(args)
    for name in wanted:
        begin = time.monotonic()
        title, programs, about, text = {"forward": forward, "large": large, "job": job, "removal": removal, "busy": busy, "generation": generation, "own": own}[name](m)
        options = [re.sub(r"[^,=]*/", "", a) for a in sys.argv[1:] if not a.startswith("--only") and a != args.only and not a.startswith("--out") and a != args.out]
        command = shlex.join(["bench/peers/run", "--only", name, *options])
        versions = [info["versions"] for info in programs.values() if "versions" in info]
        if OURS in programs:
            versions.insert(0, f"avssnative ({programs[OURS]['isa']})")
        on = f"{machine.describe()}; {m.threads} threads; {m.args.rounds} rounds" + ("; the machine was not idle" if args.no_wait else "") + (f"; {'; '.join(versions)}" if versions else "") + "."
        if args.quick and programs:
            about += " Here, to try the measurement, everything is done on 4 layers × 128 and fewer tokens."
        page.put(out, name, f"## {title}\n\n{about}\n\n    {command}\n\n{on}\n\n{text}")
        say(f"{name}: {time.monotonic() - begin:.0f} s, in {out}")


if __name__ == "__main__":
    main()
