"""What stands around the stages of ``remover train``: data, results, measures, checkpoints."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from remover.cli import train_flags as flag
from remover.cli.arguments import Color, Device, Json, Overwrite, Progress, Quiet, Verbose
from remover.cli.console import SCHEMA
from remover.cli.help import Verb
from remover.cli.session import running
from remover.cli.train import begin, loaded, train
from remover.errors import UsageError

if TYPE_CHECKING:
    from remover.train.settings import Settings

__all__ = ["train"]

ENCODE_HELP = """Encode clips and masks once, into shards of latents that both stages read.

Examples:
  remover train encode --config own.toml -o latents
  remover train encode --config own.toml --stage 2 --init one -o latents2
"""

SAMPLE_HELP = """Remove the objects of training clips with a run of stage 1, for curation.

Examples:
  remover train sample one -o samples
  remover train sample one -o samples-2 --part 2/8
"""

CURATE_HELP = """Judge the results of stage 1 in a browser: yes or no by key.

Prints the address of a page on this machine. Stage 2 learns from what is
accepted. Ctrl-C ends it; every verdict is on disk by then.
"""

EVALUATE_HELP = """Remove the objects of clips that were never learnt from, and measure.

Prints the paper's PSNR and SSIM outside the mask and, where the truth is known,
the error inside it and how often the object came back.
"""

EXPORT_HELP = """Write what a run has learnt as a checkpoint that `clean --weights` takes.

Examples:
  remover train export two -o checkpoint
  remover train export two/checkpoints/step-00000100 -o checkpoint --dtype fp16
"""

ABLATION_HELP = """Test the paper's claim at small scale: does bad noise keep objects away?

Trains three arms from one stage 1: plain data, curated results with random
noise, curated results with bad noise. Prints how often objects came back, and
goes on where it was stopped.

Examples:
  remover train ablation --config ablation -o ablation
"""

CHECK_HELP = """Look through a folder of clips and masks, and say what can be used."""


@train.command("encode", cls=Verb, help=ENCODE_HELP)
def encode(
    ctx: typer.Context,
    config: flag.TrainConfig,
    output: flag.Latents,
    change: flag.Changes = None,
    stage: flag.StageNumber = 1,
    init: flag.Init = None,
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Encode, say how much."""
    console, where = begin(ctx, locals())
    settings = loaded(config, change)
    with running(console):
        from remover.train.material import VAE, encoded
        from remover.train.parallel import world
        from remover.train.runs import opened

        other = None if init is None else opened(init).vae
        with world(where) as here:
            found = encoded(
                settings,
                output,
                Path(output) / VAE,
                here,
                console,
                is_stage2=stage == 2,
                other=other,
            )
    skipped = found.plain.skipped
    console.done(f"{len(found.plain)} samples in `{output}`, {len(found.held)} held out")
    if console.display.json:
        counts = {"samples": len(found.plain), "held_out": len(found.held)}
        reasons = [{"name": one.name, "reason": one.reason} for one in skipped]
        console.data_json({"schema": SCHEMA, "latents": output, **counts, "skipped": reasons})


@train.command("sample", cls=Verb, help=SAMPLE_HELP)
def sample(
    ctx: typer.Context,
    run: flag.RunArgument,
    output: flag.SamplesOut,
    part: flag.Part = "1/1",
    change: flag.Changes = None,
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Make results for curation."""
    console, where = begin(ctx, locals())
    share = flag.part_of(part)
    with running(console):
        from remover.device import resolve
        from remover.train import networks, results, verdicts
        from remover.train.clips import source
        from remover.train.runs import opened

        first = opened(run)
        if first.stage != 1:
            raise UsageError(
                f"`{run}` holds a run of stage {first.stage}", hint="results come from stage 1"
            )
        settings = changed(first.settings, change)
        learnt = networks.learnt(first, resolve(where, prefer_gpu=True), settings)
        clips = source(settings.data, settings.seed)
        latents = results.make(learnt, clips, output, console, share)
        accepted = len(verdicts.accepted(output))
    console.done(f"{len(latents)} results in `{output}`, {accepted} accepted so far")
    if console.display.json:
        console.data_json(
            {"schema": SCHEMA, "samples": str(output), "count": len(latents), "accepted": accepted}
        )


@train.command("curate", cls=Verb, help=CURATE_HELP)
def curate(
    ctx: typer.Context,
    folder: flag.SamplesArgument,
    port: flag.Port = 0,
    browser: flag.Browser = True,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Serve the page."""
    console, _ = begin(ctx, locals())
    with running(console):
        from remover.web import serve

        def ready(address: str) -> None:
            if console.display.json:
                console.data_json({"schema": SCHEMA, "address": address})
            else:
                console.note(f"curate at {address} ; Ctrl-C ends it")

        serve(folder, port=port, open_browser=browser, on_ready=ready)


@train.command("evaluate", cls=Verb, help=EVALUATE_HELP)
def evaluate(
    ctx: typer.Context,
    run: flag.RunArgument,
    steps: flag.Steps = 6,
    change: flag.Changes = None,
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Measure on held-out clips."""
    console, where = begin(ctx, locals())
    with running(console):
        from remover.device import resolve
        from remover.train import evaluate as measure
        from remover.train import networks
        from remover.train.clips import source
        from remover.train.runs import opened

        one = opened(run)
        settings = changed(one.settings, change)
        found = measure.evaluate(
            networks.learnt(one, resolve(where, prefer_gpu=True), settings),
            source(settings.data, settings.seed),
            console,
            steps=steps,
            guidance=settings.curation.guidance if one.stage == 1 else None,
        )
    if console.display.json:
        console.data_json({"schema": SCHEMA, **found.to_json()})
    else:
        console.data(found.table())


@train.command("export", cls=Verb, help=EXPORT_HELP)
def export(
    ctx: typer.Context,
    run: flag.ExportArgument,
    output: flag.Checkpoint,
    dtype: flag.ExportDtype = "fp32",
    overwrite: Overwrite = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Write a checkpoint."""
    console, _ = begin(ctx, locals())
    if dtype not in flag.EXPORT_DTYPES:
        listed = ", ".join(f"`{name}`" for name in flag.EXPORT_DTYPES)
        raise UsageError(f"`--dtype {dtype}` is not known", hint=f"one of {listed}")
    with running(console):
        from remover.train.publish import publish

        publish(run, output, dtype=dtype, overwrite=bool(overwrite))
    console.done(f"wrote {output}")
    if console.display.json:
        console.data_json({"schema": SCHEMA, "checkpoint": str(output)})


@train.command("ablation", cls=Verb, help=ABLATION_HELP)
def ablation(
    ctx: typer.Context,
    config: flag.TrainConfig,
    output: flag.AblationFolder,
    seeds: flag.Seeds = 3,
    change: flag.Changes = None,
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Train the arms, print the table."""
    console, where = begin(ctx, locals())
    settings = loaded(config, change)
    with running(console):
        from remover.device import resolve
        from remover.train import ablation as study
        from remover.train.plots import draw

        numbers = range(settings.seed, settings.seed + seeds)
        place = resolve(where, prefer_gpu=True)
        found = study.ablation(settings, numbers, output, place, console)
        draw(output / "curves.png", study.picture(found))
    console.done(f"wrote {output / 'curves.png'}")
    if console.display.json:
        console.data_json({"schema": SCHEMA, "results": study.to_json(found)})
    else:
        console.data(study.table(found))


@train.command("check", cls=Verb, help=CHECK_HELP)
def check(
    ctx: typer.Context,
    folder: flag.DataArgument,
    config: flag.MaybeConfig = None,
    change: flag.Changes = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Validate a data set."""
    console, _ = begin(ctx, locals())
    settings = loaded(config or "minimax-1.3b", change)
    with running(console):
        from remover.train.check import check as look

        report = look(folder, settings.data, settings.seed, console)
    if console.display.json:
        console.data_json({"schema": SCHEMA, **report.plain()})
    else:
        console.data("".join(f"{name:<20} {value}\n" for name, value in report.rows()))


def changed(settings: "Settings", change: list[str] | None) -> "Settings":
    from remover.train import presets

    return presets.changed(settings, change or ())
