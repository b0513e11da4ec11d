"""``remover bench model`` and ``remover bench windows``: measurements of the painting networks."""

import re
from typing import Annotated, Any

import typer

from remover.cli import arguments as flag
from remover.cli.bench import bench
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb
from remover.cli.session import configure, read_prompts, running
from remover.errors import UsageError
from remover.types import Size

MODEL_HELP = """Time the networks of MiniMax-Remover, with random weights.

Encoding a video, one step of the transformer and decoding run in a process
each. Prints JSON: seconds, operations, the peak of memory.
"""

WINDOWS_HELP = """Measure how much windows of a network show where they meet.

Cleans the video without copying, once for each way to join windows, and
compares the change from frame to frame at the joins with that elsewhere. A
seam of 1 is none. Takes the checkpoint of `--weights`, else the installed one;
with untrained weights the figures say nothing about quality.
"""

__all__ = ["bench"]

PARTS = ("encode", "dit", "decode")
DTYPES = ("fp32", "bf16", "fp16")

VideoSize = Annotated[
    str,
    typer.Option(
        "--size",
        metavar="WxH",
        rich_help_panel=flag.INPUT,
        help="Width and height of the frames, multiples of 16; 416x240 unless given.",
    ),
]
VideoFrames = Annotated[
    int,
    typer.Option(
        "--frames",
        metavar="NUMBER",
        rich_help_panel=flag.INPUT,
        help="How many frames the video has: 1 and a multiple of 4; 9 unless given.",
    ),
]
Parts = Annotated[
    str,
    typer.Option(
        "--parts",
        metavar="LIST",
        rich_help_panel=flag.INPUT,
        help="Some of `encode,dit,decode`; all unless given.",
    ),
]
Rounds = Annotated[
    int,
    typer.Option(
        "--rounds",
        metavar="NUMBER",
        rich_help_panel=flag.QUALITY,
        help="How often each part runs, 1 unless given; the median counts.",
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="|".join(DTYPES),
        rich_help_panel=flag.QUALITY,
        help="The type of weights and numbers; `fp32` unless given.",
        autocompletion=lambda incomplete: [d for d in DTYPES if d.startswith(incomplete)],
    ),
]
Compare = Annotated[
    bool,
    typer.Option(
        "--compare",
        rich_help_panel=flag.QUALITY,
        help="Run the autoencoder of diffusers too, in turns with ours and on the same weights.",
    ),
]


@bench.command("model", cls=Verb, help=MODEL_HELP)
def model(
    ctx: typer.Context,
    size: VideoSize = "416x240",
    frames: VideoFrames = 9,
    parts: Parts = ",".join(PARTS),
    rounds: Rounds = 1,
    device: flag.Device = None,
    dtype: Dtype = "fp32",
    compare: Compare = False,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Time, print."""
    console: Console = ctx.obj
    options, _ = configure(console, locals())
    chosen = _parts(parts)
    shape = _size(size)
    with running(console):
        from remover import bench_model as measure
        from remover.device import resolve

        case = measure.Case(
            size=shape,
            frames=frames,
            rounds=rounds,
            device=resolve(options.device, prefer_gpu=True),
            dtype=dtype,
            vae=measure.VAE,
            dit=measure.DIT,
        )
        result: dict[str, Any] = {"schema": SCHEMA, "parts": [], "comparisons": []}
        if compare:
            measure.require_diffusers()
        for part in chosen:
            console.note(f"measuring {part}")
            result["parts"] += measure.to_json([measure.part_speed(part, case)])
        for part in chosen if compare else ():
            if part != "dit":
                console.note(f"comparing {part}")
                result["comparisons"] += measure.to_json([measure.compare(part, case)])
    console.data_json(result)


def _parts(text: str) -> tuple[str, ...]:
    """What ``--parts`` names, each once, in the order of ``PARTS``."""
    words = {word.strip() for word in text.split(",")}
    unknown = sorted(words - set(PARTS))
    if unknown:
        raise UsageError(
            f"`--parts {text}` names `{unknown[0]}`, which is no part",
            hint=f"some of {','.join(PARTS)}",
        )
    return tuple(part for part in PARTS if part in words)


def _size(text: str) -> Size:
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if found is None:
        raise UsageError(f"`--size {text}` is no size", hint="write width x height, as 416x240")
    return Size(int(found[2]), int(found[1]))


@bench.command("windows", cls=Verb, help=WINDOWS_HELP)
def windows(
    ctx: typer.Context,
    source: flag.Input,
    start: flag.Start = None,
    end: flag.End = None,
    box: flag.Boxes = None,
    mask: flag.Masks = None,
    tracker: flag.Tracker = None,
    dilate: flag.Dilate = None,
    weights: flag.Weights = None,
    steps: flag.Steps = None,
    guidance: flag.Guidance = None,
    seed: flag.Seed = None,
    device: flag.Device = None,
    dtype: flag.Dtype = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Clean, compare, print."""
    console: Console = ctx.obj
    given = locals()
    options, _ = configure(console, {**given, "painter": "small" if weights else "minimax"})
    prompts = read_prompts(given)
    with running(console):
        from remover import bench_windows as measure

        results = list(measure.seams(source, prompts, options, console))
    if console.display.json:
        console.data_json({"schema": SCHEMA, "windows": measure.seams_to_json(results)})
    else:
        console.data(measure.seam_table(results))
