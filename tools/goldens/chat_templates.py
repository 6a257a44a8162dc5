"""Render chat templates with transformers and keep what it says.

    chat_templates.py FOLDER

FOLDER holds *.jinja; FOLDER/rendered.json is written: the conversations, and for every template, conversation and generation prompt the
text, or the words with which the template refused. Needs transformers and jinja2.
"""
import json
import os
import sys

import jinja2
from transformers.utils.chat_template_utils import render_jinja_template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def said(role, content):
    return {"role": role, "content": content}


CONVERSATIONS = [
    [said("user", "Where is the ball?")],
    [said("system", "Answer in one word."), said("user", "What is 2 + 2?")],
    [said("user", "Hi"), said("assistant", "<think>\nhm\n</think>\n\nHello, friend!"), said("user", "  Was heißt “日本”?\nSag es.  ")],
    [said("system", "S\n"), said("user", "one two"), said("assistant", "three"), said("user", "{{ four }} {% five %}"),
     said("assistant", "WOW a <tag> & \"quotes\" 'too' \\ 😀")],
    [said("tool", "42")],
]


def main():
    folder = sys.argv[1]
    rendered = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".jinja"):
            continue
        # As transformers reads a template's file.
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            template = file.read()
        found = []
        for conversation in CONVERSATIONS:
            for answer in (False, True):
                try:
                    text = render_jinja_template([conversation], chat_template=template, add_generation_prompt=answer, **TOKENS)[0][0]
                    found.append({"text": text})
                except jinja2.exceptions.TemplateError as error:
                    found.append({"refused": str(error)})
        rendered[name.removesuffix(".jinja")] = found
    with open(os.path.join(folder, "rendered.json"), "w", encoding="utf-8") as file:
        json.dump({"tokens": TOKENS, "conversations": CONVERSATIONS, "rendered": rendered}, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
