"""``remover clean``: a video without what was pointed at."""

from typing import Any

import typer

from remover.cli import arguments as flag
from remover.cli.console import Console
from remover.cli.session import Request, as_typed, connected, present, running, understand
from remover.errors import UsageError

HELP = """Remove something from a video.

Examples:
  remover clean clip.mp4 --box 10,20,80,60
  remover clean clip.mp4 --click 120,80 --avoid 40,80@2.5s -o out.mp4
  remover clean clip.mp4 --mask logo.png --preview sheet.png
  remover clean shot/%05d.png --fps 24 --box 10,20,80,60 -o out/%05d.png
"""


def clean(
    ctx: typer.Context,
    source: flag.Input,
    fps: flag.Fps = None,
    start: flag.Start = None,
    end: flag.End = None,
    box: flag.Boxes = None,
    click: flag.Clicks = None,
    avoid: flag.Avoids = None,
    mask: flag.Masks = None,
    invert_mask: flag.InvertMask = None,
    keep: flag.Keeps = None,
    tracker: flag.Tracker = None,
    sam2_weights: flag.Sam2Weights = None,
    dilate: flag.Dilate = None,
    feather: flag.Feather = None,
    plate: flag.Plates = None,
    no_source: flag.NoSources = None,
    painter: flag.Painter = None,
    codec: flag.Codec = None,
    crf: flag.Crf = None,
    lossless: flag.Lossless = None,
    seed: flag.Seed = None,
    device: flag.Device = None,
    output: flag.Output = None,
    format: flag.Format = None,
    overwrite: flag.Overwrite = None,
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


def _call(request: Request, given: dict[str, Any], console: Console) -> Any:
    from remover import pipeline

    prompts, options = request.prompts, request.options
    with connected(console, request) as (source, output):
        if given["dry_run"]:
            return pipeline.dry_run(source, output, prompts, options, console)
        if given["preview"] is not None:
            return pipeline.preview(source, given["preview"], prompts, options, console)
        return pipeline.clean(source, output, prompts, options, console)
