# A pruned folder is healed by 20 steps of LoRA: the loss goes down, and the merged folder is read again and judged nearer to the dense model.
# debian: gcc libc6-dev
# python: heal
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/avssnative" ./cmd/avssnative
"$work/avssnative" prune --drop 8,9,10,11,12,13,14,15 --out "$work/small" >/dev/null
export HF_HUB_OFFLINE=1
heal() { "$build/heal/bin/python" tools/heal/lora.py "$work/small" "$work/healed" --length 128 --batch 4 "$@"; }
heal --text internal/smallworld/calibration.txt --steps 20 --rate 2e-3 2>"$work/said" || { cat "$work/said"; return 1; }
tail -1 <(grep '^step' "$work/said")
# What does not help is not written.
if heal --text internal/smallworld/calibration.txt --steps 1 --rate 0 2>"$work/said"; then return 1; fi
grep 'is there already' "$work/said"
mv "$work/healed" "$work/kept"
if heal --text internal/smallworld/calibration.txt --steps 1 --rate 0 2>"$work/said"; then return 1; fi
grep 'did not go down' "$work/said"
[ ! -e "$work/healed" ]
for name in small kept; do
  "$work/avssnative" eval --model "$work/$name" --tasks small_world_stories --json >"$work/$name.json"
done
"$build/heal/bin/python" - "$work" <<'CHECK'
import json
import sys
small, healed = (json.load(open(f"{sys.argv[1]}/{name}.json"))["tasks"]["small_world_stories"]["dense"]["value"] for name in ("small", "kept"))
print(f"perplexity of small_world_stories: pruned {small:.3f}, healed {healed:.3f}")
sys.exit(not healed < small)
CHECK
