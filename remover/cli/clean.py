"""``remover clean``: a video without what was pointed at."""

from typing import Any

import typer

from remover.cli import arguments as flag
from remover.cli.console import Console
from remover.cli.session import (
    Request,
    as_typed,
    connected,
    present,
    refuse_pipes,
    running,
    understand,
)
from remover.errors import UsageError

HELP = """Remove something from a video.

Examples:
  remover clean clip.mp4 --box 10,20,80,60
  remover clean clip.mp4 --click 120,80 --avoid 40,80@2.5s -o out.mp4
  remover clean clip.mp4 --mask logo.png --preview sheet.png
  remover clean shot/%05d.png --fps 24 --box 10,20,80,60 -o out/%05d.png
  remover clean clip.mp4 --box 10,20,80,60 --layer fill.mov --compare look.mp4
  remover clean clip.mp4 --mask logo.png --painter minimax --device cuda
"""

SIDES = ("layer", "matte", "compare", "source_map")
"""Files that may be written beside the output."""


def clean(
    ctx: typer.Context,
    source: flag.Input,
    fps: flag.Fps = None,
    start: flag.Start = None,
    end: flag.End = None,
    trim: flag.Trim = None,
    handles: flag.Handles = None,
    box: flag.Boxes = None,
    click: flag.Clicks = None,
    avoid: flag.Avoids = None,
    mask: flag.Masks = None,
    invert_mask: flag.InvertMask = None,
    keep: flag.Keeps = None,
    tracker: flag.Tracker = None,
    sam2_weights: flag.Sam2Weights = None,
    sam2_memory: flag.Sam2Memory = None,
    sam2_motion: flag.Sam2Motion = None,
    sam2_refine: flag.Sam2Refine = None,
    strict: flag.Strict = None,
    dilate: flag.Dilate = None,
    feather: flag.Feather = None,
    shadows: flag.Shadows = None,
    plate: flag.Plates = None,
    no_source: flag.NoSources = None,
    copy: flag.Copy = None,
    grain: flag.Grain = None,
    painter: flag.Painter = None,
    weights: flag.Weights = None,
    steps: flag.Steps = None,
    guidance: flag.Guidance = None,
    joins: flag.Joins = None,
    codec: flag.Codec = None,
    crf: flag.Crf = None,
    lossless: flag.Lossless = None,
    seed: flag.Seed = None,
    device: flag.Device = None,
    dtype: flag.Dtype = None,
    output: flag.Output = None,
    layer: flag.Layer = None,
    matte: flag.Matte = None,
    compare: flag.Compare = None,
    source_map: flag.SourceMap = None,
    format: flag.Format = None,
    overwrite: flag.Overwrite = None,
    resume: flag.Resume = None,
    work: flag.Work = None,
    dry_run: flag.DryRun = False,
    preview: flag.Preview = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Parse, call, print."""
    given = locals()
    console: Console = ctx.obj
    _check_stops(given)
    _check_sides(given)
    request = understand(console, given)
    with running(console):
        report = as_typed(request, _call(request, given, console))
    present(console, report, as_data=dry_run)


def _check_stops(given: dict[str, Any]) -> None:
    preview = given["preview"]
    if preview is None:
        return
    if given["dry_run"]:
        raise UsageError(
            "`--dry-run` and `--preview` exclude each other: one writes nothing",
            hint="leave one of them out",
        )
    if preview.suffix.lower() != ".png":
        raise UsageError(f"`--preview {preview}` is no PNG file", hint="as `--preview sheet.png`")


def _check_sides(given: dict[str, Any]) -> None:
    refuse_pipes(given, SIDES)
    for kind in SIDES:
        flag = f"--{kind.replace('_', '-')}"
        if given[kind] is not None and given["preview"] is not None:
            raise UsageError(
                f"`--preview` and `{flag}` exclude each other: one stops before the fill",
                hint="leave one of them out",
            )


def _call(request: Request, given: dict[str, Any], console: Console) -> Any:
    from remover import pipeline

    prompts, options = request.prompts, request.options
    sides = {kind: given[kind] for kind in SIDES if given[kind] is not None}
    with connected(console, request) as (source, output):
        if given["dry_run"]:
            return pipeline.dry_run(source, output, prompts, options, console, sides)
        if given["preview"] is not None:
            return pipeline.preview(source, given["preview"], prompts, options, console)
        return pipeline.clean(source, output, prompts, options, console, sides)
