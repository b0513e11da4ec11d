"""The committed quality tables can be compared with a new run."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tests" / "data" / "compare_quality.py"
PAGE = ROOT / "docs" / "quality.md"


def script():
    spec = importlib.util.spec_from_file_location("compare_quality", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(change: float) -> subprocess.CompletedProcess:
    before = script().committed(PAGE.read_text(encoding="utf-8"))
    cases = [
        {"prompt": prompt, "case": case, "score": {"psnr_mask": psnr + change}}
        for (prompt, case), psnr in before.items()
    ]
    command = [sys.executable, str(SCRIPT), str(PAGE)]
    given = json.dumps({"cases": cases})
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def test_the_tables_of_the_page_are_read():
    before = script().committed(PAGE.read_text(encoding="utf-8"))
    assert {prompt for prompt, _ in before} == {"mask", "box"}
    assert sum(prompt == "mask" for prompt, _ in before) == 9
    assert all(5 < psnr < 60 for psnr in before.values())


def test_a_small_loss_passes_and_a_large_one_fails():
    assert run(-0.2).returncode == 0
    failed = run(-0.4)
    assert failed.returncode == 1
    assert "leave-reenter (mask)" in failed.stderr


def test_a_case_that_is_in_no_table_is_told():
    unknown = [{"prompt": "mask", "case": "new", "score": {"psnr_mask": 30.0}}]
    assert script().lost({}, unknown) == ["new (mask): not in the table"]
