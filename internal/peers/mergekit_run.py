"""Runs mergekit on configurations.

    mergekit_run.py CONFIGURATION OUT [CONFIGURATION OUT ...]

Each OUT is the folder that mergekit writes. It gets no tokenizer.
"""
import sys

import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

failed = []
for path, out in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        with open(path, encoding="utf-8") as file:
            configuration = MergeConfiguration.model_validate(yaml.safe_load(file))
        run_merge(configuration, out, MergeOptions(copy_tokenizer=False, quiet=True))
    except Exception as error:
        failed.append(f"{path}: {type(error).__name__}: {error}")
sys.exit("\n".join(failed) or None)
