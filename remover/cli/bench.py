"""``remover bench``: measurements that anybody can repeat."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from remover.cli import arguments as flag
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb, Verbs
from remover.cli.session import configure, read_prompts, running
from remover.errors import UsageError
from remover.types import Size

HELP = """Measure quality against known truth, and speed.

Examples:
  remover bench quality cases/ --json
  remover bench track clip.mp4 --frames 8
  remover bench quality cases/ --prompt mask --sheets sheets/
  remover bench model --size 416x240 --frames 9 --compare
  remover bench windows clip.mp4 --mask logo.png --weights checkpoint
"""

QUALITY_HELP = """Clean cases whose true background is known, and score the results.

A case is a folder with case.json, input.mp4, clean.mp4 and masks/. Prints a
table in Markdown, or JSON.
"""

TRACK_HELP = """Time the trackers on a video, or on the inputs of a folder of cases.

Prints the frames a second of the built-in tracker and of SAM 2 tiny, with
random weights, at 512 and 1024 pixels: a table in Markdown, or JSON.
"""

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

PROMPTS = ("mask", "box", "both")
PARTS = ("encode", "dit", "decode")
DTYPES = ("fp32", "bf16", "fp16")

bench = typer.Typer(
    cls=Verbs,
    help=HELP,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="The cases.", rich_help_panel=flag.INPUT),
]
Prompt = Annotated[
    str,
    typer.Option(
        "--prompt",
        metavar="|".join(PROMPTS),
        rich_help_panel=flag.INPUT,
        help="What each case is given: its exact masks, its box, or each in turn.",
        autocompletion=lambda incomplete: [p for p in PROMPTS if p.startswith(incomplete)],
    ),
]
Sheets = Annotated[
    Path | None,
    typer.Option(
        "--sheets",
        metavar="DIR",
        rich_help_panel=flag.OUTPUT,
        help="Keep the results there, with a sheet of input, result and truth for each.",
    ),
]


Videos = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT", help="A video, or a folder of cases.", rich_help_panel=flag.INPUT
    ),
]
Frames = Annotated[
    int,
    typer.Option(
        "--frames",
        metavar="NUMBER",
        min=2,
        rich_help_panel=flag.INPUT,
        help="How many frames of each video to follow through, at most.",
    ),
]

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


@bench.callback(invoke_without_command=True)
def _bench(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.obj.data(ctx.get_help() + "\n")


@bench.command("quality", cls=Verb, help=QUALITY_HELP)
def quality(
    ctx: typer.Context,
    folder: Folder,
    prompt: Prompt = "both",
    sheets: Sheets = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Run, score, print."""
    console: Console = ctx.obj
    configure(console, locals())
    if prompt not in PROMPTS:
        raise UsageError(f"`--prompt {prompt}` is not known", hint=f"one of {', '.join(PROMPTS)}")
    chosen = ("mask", "box") if prompt == "both" else (prompt,)
    with running(console):
        results = _measure(folder, chosen, sheets, console)
    _print(results, console)


@bench.command("track", cls=Verb, help=TRACK_HELP)
def track(
    ctx: typer.Context,
    source: Videos,
    frames: Frames = 8,
    device: flag.Device = None,
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
    with running(console):
        from remover import bench as measure
        from remover.device import resolve

        where = resolve(options.device, prefer_gpu=True)
        clips = measure.clips(source)
        console.start("bench track", None)
        results = []
        for clip in clips:
            for result in measure.track_speed(clip, frames, where):
                results.append(result)
                console.advance(result.frames)
    if console.display.json:
        console.data_json({"schema": SCHEMA, "speeds": measure.speeds_to_json(results)})
    else:
        console.data(measure.speed_table(results))


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


def _measure(folder: Path, prompts: tuple[str, ...], sheets: Path | None, console: Console) -> Any:
    from remover import bench as measure
    from remover.files import work_folder

    cases = measure.cases(folder)
    results = []
    with work_folder() as work:
        keep = sheets or work
        keep.mkdir(parents=True, exist_ok=True)
        for prompt in prompts:
            console.start(f"bench {prompt}", len(cases))
            for case in cases:
                output = keep / f"{case.name}.{prompt}.mp4"
                results.append(measure.run_case(case, prompt, output))
                if sheets is not None:
                    measure.write_sheet(case, output, output.with_suffix(".png"))
                console.advance()
    return results


def _print(results: Any, console: Console) -> None:
    from remover import bench as measure

    if console.display.json:
        console.data_json({"schema": SCHEMA, "cases": measure.to_json(results)})
    else:
        console.data(measure.quality_table(results))
