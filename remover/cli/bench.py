"""``remover bench``: measurements that anybody can repeat."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remover.cli import arguments as flag
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb, Verbs
from remover.cli.session import configure, running
from remover.errors import UsageError

HELP = """Measure quality against known truth, and speed.

Examples:
  remover bench quality cases/ --json
  remover bench unseen cases/ --sheets sheets/
  remover bench fill cases/ --json
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

UNSEEN_HELP = """Paint what no frame of a case shows, with all else as it truly is.

Scores the painter and its carrying apart from masks and copying. Cases are those
of `remover bench quality`. Prints a table in Markdown, or JSON.
"""

FILL_HELP = """Time the stages of a removal on cases, with their exact masks.

Prints the seconds of each stage from file to file, and of the parts of the fill:
a table in Markdown, or JSON. Cases are those of `remover bench quality`.
"""

PROMPTS = ("mask", "box", "both")
FOLLOWED = ("mask", "box", "click", "all")

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


Followed = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="mask|box|click|all",
        rich_help_panel=flag.INPUT,
        help="Score the masks of the built-in tracker from this prompt, over whole clips with true "
        "masks: cases, or what a `clips.toml` lists.",
        autocompletion=lambda incomplete: [p for p in FOLLOWED if p.startswith(incomplete)],
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


@bench.command("unseen", cls=Verb, help=UNSEEN_HELP)
def unseen(
    ctx: typer.Context,
    folder: Folder,
    sheets: Sheets = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Paint, score, print."""
    console: Console = ctx.obj
    configure(console, locals())
    with running(console):
        from remover import bench_unseen as measure
        from remover.bench import cases

        found = cases(folder)
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
        console.start("bench unseen", len(found))
        results = []
        for case in found:
            sheet = None if sheets is None else sheets / f"{case.name}.unseen.png"
            result = measure.run_case(case, sheet)
            results += [] if result is None else [result]
            console.advance()
    if console.display.json:
        console.data_json({"schema": SCHEMA, "cases": measure.to_json(results)})
    else:
        console.data(measure.table(results))


@bench.command("fill", cls=Verb, help=FILL_HELP)
def fill(
    ctx: typer.Context,
    folder: Folder,
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
    configure(console, locals())
    with running(console):
        from remover import bench_fill as measure
        from remover.bench import cases
        from remover.files import work_folder

        found = cases(folder)
        console.start("bench fill", len(found))
        results = []
        with work_folder() as work:
            for case in found:
                results.append(measure.time_case(case, work / "out.mkv"))
                console.advance()
    if console.display.json:
        console.data_json({"schema": SCHEMA, "times": measure.to_json(results)})
    else:
        console.data(measure.table(results))


@bench.command("track", cls=Verb, help=TRACK_HELP)
def track(
    ctx: typer.Context,
    source: Videos,
    frames: Frames = 8,
    prompt: Followed = None,
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
    if prompt is not None:
        _follow(source, prompt, console)
        return
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


def _follow(folder: Path, prompt: str, console: Console) -> None:
    if prompt not in FOLLOWED:
        raise UsageError(f"`--prompt {prompt}` is not known", hint=f"one of {', '.join(FOLLOWED)}")
    with running(console):
        from remover import bench_track as measure

        clips = measure.clips(folder)
        chosen = measure.PROMPTS if prompt == "all" else (prompt,)
        console.start("bench track", len(clips) * len(chosen))
        results = []
        for one in chosen:
            for clip in clips:
                results.append(measure.follow(clip, one))
                console.advance()
    if console.display.json:
        console.data_json({"schema": SCHEMA, "clips": measure.to_json(results)})
    else:
        console.data(measure.table(results))


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
        rows, over_cases = measure.to_json(results), measure.summaries_to_json(results)
        console.data_json({"schema": SCHEMA, "cases": rows, "summary": over_cases})
    else:
        console.data(measure.quality_table(results))
