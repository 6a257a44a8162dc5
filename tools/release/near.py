"""near.py ONE OTHER MOST: fails unless two JSON files are the same but for numbers, which may differ by MOST of the larger."""
import json
import sys


def differs(one, other, most, at):
    """Where two values differ, or None."""
    if isinstance(one, float) and isinstance(other, float):
        near = one == other or abs(one - other) <= most * max(abs(one), abs(other))  # what is no number is near nothing
        return None if near else at
    if type(one) is not type(other):
        return at
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return at
        return next((d for k in one if (d := differs(one[k], other[k], most, f"{at}.{k}"))), None)
    if isinstance(one, list):
        if len(one) != len(other):
            return at
        return next((d for i, v in enumerate(one) if (d := differs(v, other[i], most, f"{at}[{i}]"))), None)
    return None if one == other else at


one, other = (json.load(open(path)) for path in sys.argv[1:3])
if place := differs(one, other, float(sys.argv[3]), "scores"):
    sys.exit(f"near: {sys.argv[1]} and {sys.argv[2]} differ at {place}")
