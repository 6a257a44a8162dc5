"""docs/benchmarks.md: one part for each section measured, replaced when that section is measured again."""
import os
import re

TITLE = """# Benchmarks

Every table is written by the command above it, which measures all programs in turn on one machine and on the same weights. A figure is the median of
its rounds. A ratio is how many times as long as avssnative a peer takes: the median of the rounds' ratios, with the least and the
greatest. The share of the peak is the least arithmetic the job needs, over the time it took, over what products that never leave the registers
reach on all cores (measured in the same run).
"""


def table(head, rows):
    """A Markdown table; numbers stand to the right."""
    text = [[str(cell) for cell in row] for row in rows]
    ruler = ["---" if i == 0 else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ruler, *text]) + "\n"


def put(path, section, text):
    """Puts a section into the page, at the end if it is not there yet."""
    page = TITLE
    if os.path.exists(path):
        with open(path) as file:
            page = file.read()
    first, last = f"<!-- {section} -->\n", f"<!-- end of {section} -->\n"
    part = first + text.rstrip("\n") + "\n" + last
    if first in page:
        page = re.sub(re.escape(first) + ".*?" + re.escape(last), lambda _: part, page, flags=re.S)
    else:
        page = page.rstrip("\n") + "\n\n" + part
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".incomplete", "w") as file:
        file.write(page)
    os.replace(path + ".incomplete", path)
