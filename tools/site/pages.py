"""What mkdocs needs to show the pages as they lie in the repository.

The pages of the root become pages of the site; a link to what the site has is turned towards it, one to a source keeps its text; and a list or table
that stands right below a text gets the empty line that Markdown's older rules want.
"""
import os
import posixpath
import re

from mkdocs.structure.files import File

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Pages of the root, by their names in the site.
PAGES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md",
         "security.md": "SECURITY.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"(^```.*?^```$\n?)", re.MULTILINE | re.DOTALL)
LIST = re.compile(r" {0,3}([-*+]|\d+\.) ")


def on_files(files, config):
    for name, path in PAGES.items():
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            files.append(File.generated(config, name, content=file.read()))
    return files


def on_page_markdown(markdown, page, config, files):
    here = page.file.src_uri
    source = PAGES.get(here, "docs/" + here)
    parts = FENCED.split(markdown)  # text and blocks of code by turns
    for at in range(0, len(parts), 2):
        parts[at] = spaced(LINK.sub(lambda m: turned(m, here, source, files), parts[at]))
    return "".join(parts)


def spaced(text):
    """Text with an empty line behind headings, and in front of lists and tables that follow upon something else."""
    out, first = [], ""
    for line in text.split("\n"):
        for form in (LIST.match, lambda text: text.startswith("|")):
            if form(line) and first and not form(first):
                out.append("")
                first = ""
        first = "" if not line.strip() else first or line
        out.append(line)
        if first.startswith("#"):
            out.append("")
            first = ""
    return "\n".join(out)


def turned(match, here, source, files):
    """A link as the site has it."""
    mark, text, target = match.groups()
    path, _, anchor = target.partition("#")
    if not path or ":" in path:
        return match.group(0)
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    name = next((n for n, p in PAGES.items() if p == wanted), wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
    if name is None or files.get_file_from_path(name) is None:
        if not os.path.exists(os.path.join(ROOT, wanted)):
            raise FileNotFoundError(f"{source}: {target}")
        return text if mark == "" else match.group(0)
    to = posixpath.relpath(name, posixpath.dirname(here) or ".")
    return f"{mark}[{text}]({to}{'#' + anchor if anchor else ''})"
