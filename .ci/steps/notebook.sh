# The notebook that reads reports in pandas runs on what its own commands write; build/report.ipynb is docs/notebooks/report.ipynb executed anew.
# debian: gcc libc6-dev
# python: notebook
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
go build -o "$work/bin/avssnative" ./cmd/avssnative
cp docs/notebooks/report.ipynb "$work/"
"$build/notebook/bin/python" - "$work/report.ipynb" >"$work/commands" <<'CHECK'
import json
import sys
cells = json.load(open(sys.argv[1]))["cells"]
for cell in cells:
    if cell["cell_type"] == "code":
        assert cell["execution_count"] and cell["outputs"], f"not executed: {cell['source']}"
print("".join(cells[0]["source"]).split("```sh\n")[1].split("```")[0])
CHECK
(cd "$work" && PATH="$work/bin:$PATH" bash -e commands >said 2>&1) || { cat "$work/said"; return 1; }
"$build/notebook/bin/python" -m nbconvert --to notebook --execute --ExecutePreprocessor.record_timing=False --output-dir "$build" "$work/report.ipynb"
"$build/notebook/bin/python" - "$build/report.ipynb" <<'CHECK'
import json
import sys
cells = [cell for cell in json.load(open(sys.argv[1]))["cells"] if cell["cell_type"] == "code"]
pictures = sum("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])
print(f"{len(cells)} cells, {pictures} pictures")
sys.exit(pictures != 3 or not all(cell["outputs"] for cell in cells))
CHECK
