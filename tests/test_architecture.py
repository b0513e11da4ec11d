"""The arrows of docs/architecture.md, read from the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "remover"

LAYERS = [
    {"__main__"},
    {"cli"},
    {"web"},
    {"bench_train"},
    {"train"},
    {"bench_windows", "bench_track", "bench_unseen", "bench_fill"},
    {"api", "bench", "bench_model"},
    {"pipeline"},
    {"compose", "mask_output"},
    {"interlaced"},
    {"job"},
    {"light"},
    {"masking", "byhand", "painters", "judge"},
    {"delivery"},
    {"workplace"},
    {"journal", "maskcache"},
    {"keys"},
    {"region"},
    {
        "shades",
        "fields",
        "graining",
        "plates",
        "preview",
        "report",
        "resolve",
        "companions",
        "records",
        "spool",
    },
    {"segment", "fill", "shots", "install"},
    {"video", "weights", "models", "sampling"},
    {"drawing", "marking", "download", "partial", "tensorfile"},
    {"pixels", "masks", "plan", "crops", "device", "files", "metrics", "config", "noise"},
    {"options", "owner"},
    {"choices"},
    {"geometry", "prompts", "linear"},
    {"types", "progress"},
    {"painting"},
    {"errors"},
    {"version"},
]
"""From the top: a module may import from layers below its own, and from its own package."""

DOORS = {
    "av": "video",
    "patchmatch": "fill",
    "scenedetect": "shots",
    "typer": "cli",
    "rich": "cli",
    "sam2": "segment",
    "hydra": "segment",
    "PIL": "segment",
    "safetensors": "tensorfile",
    "psutil": "owner",
    "webdataset": "train",
    "fsspec": "train",
    "tensorboard": "train",
    "peft": "train",
    "matplotlib": "train",
    "starlette": "web",
    "uvicorn": "web",
    "urllib": "download",
    "http": "download",
    "ssl": "download",
}
"""Libraries that one part alone imports."""

SHARED_DOORS = {"socket": {"owner", "web"}}
"""The same for parts that want different things of a library: the host's name; to listen."""

LARGEST = 400
LONGEST = 60


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "remover":
                yield from (f"remover.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    part = part_of(path)
    if part == "__init__":
        return
    for name in imported(path):
        words = name.split(".")
        if words[0] != "remover" or len(words) == 1 or words[1] == part:
            continue
        assert layer_of(words[1]) > layer_of(part), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_has_one_door(path):
    for name in imported(path):
        door = DOORS.get(name.split(".")[0])
        assert door in (None, part_of(path)), f"{path.name} imports {name}"
        shared = SHARED_DOORS.get(name.split(".")[0])
        assert shared is None or part_of(path) in shared, f"{path.name} imports {name}"
    if part_of(path) != "config":
        assert "os.environ" not in path.read_text()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LARGEST
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and part_of(path) != "cli":
            body = node.end_lineno - node.body[0].lineno
            assert body <= LONGEST, f"{node.name} has {body} lines"


def test_the_top_level_is_closed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    names = {line.split("/")[0] for line in tracked.splitlines()}
    allowed = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "weights.lock"}
    allowed |= {"remover", "tests", "docs"}
    assert {n for n in names if not n.startswith(".")} <= allowed


def test_the_public_names_are_frozen():
    import remover

    assert remover.__all__ == [
        "DeviceError",
        "InputError",
        "Interrupted",
        "OutputError",
        "RemoverError",
        "TrainingError",
        "UsageError",
        "VerifyError",
        "WeightsError",
        "__version__",
        "clean",
        "mask",
    ]


def test_importing_the_package_loads_nothing_heavy():
    heavy = "('torch', 'cv2', 'av', 'numpy')"
    code = f"import sys, remover; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
