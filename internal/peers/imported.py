"""Runs the scripts of this folder, each in a process of its own that begins with torch, transformers and lm_eval imported: that takes longer than
most of what they do.

Reads lines of JSON, {"script", "arguments": [text], "stdin": text}, and answers each by a line {"code", "stdout", "stderr"}. What is not installed
is left for the script that wants it to miss. A fork keeps what one script sets, or breaks, from the others.
"""
import json
import os
import runpy
import sys
import tempfile
import traceback

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


def import_all():
    try:
        import torch  # noqa: F401
        import transformers

        transformers.AutoModelForCausalLM, transformers.AutoTokenizer, transformers.PreTrainedModel  # it imports what is asked for
        import lm_eval
        import lm_eval.models.huggingface

        lm_eval.simple_evaluate
    except ImportError:
        pass


def become(script, arguments, streams):
    """Goes on as the script, in a process that was forked for it."""
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), number)
        sys.stdin = os.fdopen(0)  # without what the other process has read already
        sys.argv = [script, *arguments]
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)  # nothing of the process that it was forked from is to end here


def answer_all():
    for line in sys.stdin:
        asked = json.loads(line)
        streams = [tempfile.TemporaryFile() for _ in range(3)]
        streams[0].write(asked["stdin"].encode())
        streams[0].seek(0)
        process = os.fork()
        if process == 0:
            become(asked["script"], asked["arguments"], streams)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        said = []
        for stream in streams[1:]:
            stream.seek(0)
            said.append(stream.read().decode(errors="replace"))
        for stream in streams:
            stream.close()
        print(json.dumps({"code": code, "stdout": said[0], "stderr": said[1]}), flush=True)


def main():
    with tempfile.TemporaryDirectory() as home:  # nothing of a user's cache is read or changed
        os.environ["HF_HOME"] = home
        import_all()
        answer_all()


if __name__ == "__main__":
    main()
