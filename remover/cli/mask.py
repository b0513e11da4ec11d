"""``remover mask``: only the masks."""

import typer

from remover.cli import arguments as flag
from remover.cli.console import Console
from remover.cli.session import (
    as_typed,
    connected,
    present,
    refuse_pipes,
    running,
    understand,
)

HELP = """Write only the masks, to look at, edit and give back with --mask.

Examples:
  remover mask clip.mp4 --box 10,20,80,60 -o masks
  remover mask clip.mp4 --click 120,80@45 -o masks.mkv
  remover mask clip.mp4 --box 10,20,80,60 -o masks --overlay look.mp4
"""


def mask(
    ctx: typer.Context,
    source: flag.Input,
    output: flag.MaskOutput,
    overlay: flag.Overlay = None,
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
    sam2_memory: flag.Sam2Memory = None,
    sam2_motion: flag.Sam2Motion = None,
    sam2_refine: flag.Sam2Refine = None,
    strict: flag.Strict = None,
    dilate: flag.Dilate = None,
    feather: flag.Feather = None,
    seed: flag.Seed = None,
    device: flag.Device = None,
    format: flag.Format = None,
    overwrite: flag.Overwrite = None,
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
    refuse_pipes(given, ("overlay",))
    request = understand(console, given)
    with running(console):
        from remover import pipeline

        with connected(console, request) as (path, target):
            sides = {} if overlay is None else {"overlay": overlay}
            report = pipeline.mask(path, target, request.prompts, request.options, console, sides)
    present(console, as_typed(request, report))
