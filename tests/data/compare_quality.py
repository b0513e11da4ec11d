"""Compare a run of ``remover bench quality --json`` with the committed tables.

    remover bench quality CASES --json | python tests/data/compare_quality.py docs/quality.md

Prints what changed, and ends with 1 if a case lost more than ``LOSS`` dB in the mask.
"""

import json
import sys
from pathlib import Path

LOSS = 0.3
HEADINGS = {"### Exact masks": "mask", "### One box": "box"}


def committed(text: str) -> dict[tuple[str, str], float]:
    """PSNR in the mask by prompt and case, from the tables of a page."""
    found, prompt = {}, None
    for line in text.splitlines():
        if line.startswith("#"):
            prompt = HEADINGS.get(line.strip())
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        is_case = line.startswith("|") and cells[0][:1].isalpha() and cells[0] != "case"
        if prompt and is_case and len(cells) > 2:
            found[prompt, cells[0]] = float(cells[1])
    return found


def lost(before: dict[tuple[str, str], float], now: list[dict]) -> list[str]:
    """A line for every case that lost too much, or of which nothing is known."""
    lines = []
    for one in now:
        key = one["prompt"], one["case"]
        psnr = one["score"]["psnr_mask"]
        if key not in before:
            lines.append(f"{key[1]} ({key[0]}): not in the table")
        elif psnr < before[key] - LOSS:
            lines.append(f"{key[1]} ({key[0]}): {before[key]:.2f} dB before, {psnr:.2f} dB now")
    return lines


def main() -> None:
    """Compare and print."""
    before = committed(Path(sys.argv[1]).read_text(encoding="utf-8"))
    now = json.load(sys.stdin)["cases"]
    for one in now:
        old = before.get((one["prompt"], one["case"]))
        print(one["prompt"], one["case"], old, round(one["score"]["psnr_mask"], 2))
    worse = lost(before, now)
    if worse:
        raise SystemExit("\n".join(["worse than the table:", *worse]))


if __name__ == "__main__":
    main()
