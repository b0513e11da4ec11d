"""``remover train``: the two stages of training, and what stands before, between and after them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from remover.cli import train_flags as flag
from remover.cli.arguments import Color, Device, Json, Overwrite, Progress, Quiet, Verbose
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb, Verbs
from remover.cli.session import configure, running
from remover.errors import RemoverError, UsageError
from remover.progress import Silent

if TYPE_CHECKING:
    from remover.train.loop import Done
    from remover.train.runs import Run
    from remover.train.settings import Settings

HELP = """Train MiniMax-Remover: from Wan 2.1's weights, from the release, or from nothing.

Examples:
  remover train stage1 --config tiny -o one
  remover train stage2 --config tiny --init one -o two
  remover train export two -o checkpoint
  remover clean clip.mp4 --box 10,20,80,60 --weights checkpoint

`--config` takes a TOML file, or a preset: `tiny`, `minimax-1.3b`.
"""

ENCODE_HELP = """Encode clips and masks once, into shards of latents that both stages read.

Examples:
  remover train encode --config own.toml -o latents
  remover train encode --config own.toml --stage 2 --init one -o latents2
"""

STAGE1_HELP = """Learn to fill masks, told by contrast tokens whether to remove or to make.

Examples:
  remover train stage1 --config tiny -o one
  remover train stage1 -o one --resume
  torchrun --nproc-per-node 8 -m remover train stage1 --config own.toml --latents latents -o one
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

STAGE2_HELP = """Learn to remove in six steps without tokens, from noise that brings objects back.

Examples:
  remover train stage2 --config tiny --init one -o two
  remover train stage2 --config own.toml --init one --samples samples -o two
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

CHECK_HELP = """Look through a folder of clips and masks, and say what can be used."""

SHARED = ("device", "json", "quiet", "verbose", "progress", "color")
"""The flags that mean what they mean for every command; others have a meaning of their own here."""

train = typer.Typer(
    cls=Verbs,
    help=HELP,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@train.callback(invoke_without_command=True)
def _train(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.obj.data(ctx.get_help() + "\n")


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
    console, where = _begin(ctx, locals())
    settings = _settings(config, change)
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


@train.command("stage1", cls=Verb, help=STAGE1_HELP)
def stage1(
    ctx: typer.Context,
    config: flag.MaybeConfig = None,
    output: flag.RunFolder = None,
    change: flag.Changes = None,
    latents: flag.From = None,
    resume: flag.Resume = False,
    dry_run: flag.DryRun = False,
    devices: flag.Devices = 1,
    gpu: flag.Gpu = "a800",
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Train stage 1."""
    _stage(ctx, locals(), 1)


@train.command("stage2", cls=Verb, help=STAGE2_HELP)
def stage2(
    ctx: typer.Context,
    config: flag.MaybeConfig = None,
    output: flag.RunFolder = None,
    init: flag.Init = None,
    samples: flag.Samples = None,
    change: flag.Changes = None,
    latents: flag.From = None,
    resume: flag.Resume = False,
    dry_run: flag.DryRun = False,
    devices: flag.Devices = 1,
    gpu: flag.Gpu = "a800",
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Train stage 2."""
    _stage(ctx, locals(), 2)


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
    console, where = _begin(ctx, locals())
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
        settings = _changed(first.settings, change)
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
    console, _ = _begin(ctx, locals())
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
    console, where = _begin(ctx, locals())
    with running(console):
        from remover.device import resolve
        from remover.train import evaluate as measure
        from remover.train import networks
        from remover.train.clips import source
        from remover.train.runs import opened

        one = opened(run)
        settings = _changed(one.settings, change)
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
    console, _ = _begin(ctx, locals())
    if dtype not in flag.EXPORT_DTYPES:
        listed = ", ".join(f"`{name}`" for name in flag.EXPORT_DTYPES)
        raise UsageError(f"`--dtype {dtype}` is not known", hint=f"one of {listed}")
    with running(console):
        from remover.train.publish import publish

        publish(run, output, dtype=dtype, overwrite=bool(overwrite))
    console.done(f"wrote {output}")
    if console.display.json:
        console.data_json({"schema": SCHEMA, "checkpoint": str(output)})


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
    console, _ = _begin(ctx, locals())
    settings = _settings(config or "minimax-1.3b", change)
    with running(console):
        from remover.train.check import check as look

        report = look(folder, settings.data, settings.seed, console)
    if console.display.json:
        console.data_json({"schema": SCHEMA, **report.plain()})
    else:
        console.data("".join(f"{name:<20} {value}\n" for name, value in report.rows()))


def _begin(ctx: typer.Context, given: dict[str, Any]) -> tuple[Console, str]:
    """Settle how to talk and where to compute."""
    console: Console = ctx.obj
    shared = {name: given.get(name) for name in SHARED}
    options, _ = configure(console, {**shared, "config": None, "no_config": False})
    return console, options.device


def _settings(config: str, change: list[str] | None) -> "Settings":
    from remover.train import presets

    return presets.load(config, change or ())


def _changed(settings: "Settings", change: list[str] | None) -> "Settings":
    from remover.train import presets

    return presets.changed(settings, change or ())


def _stage(ctx: typer.Context, given: dict[str, Any], number: int) -> None:
    """Train a stage, or say what it would take."""
    console, where = _begin(ctx, given)
    config, output, is_resumed = given["config"], given["output"], given["resume"]
    if config is None and not is_resumed:
        raise UsageError(
            "no configuration was given",
            hint="`--config FILE`, or a preset: `--config tiny`; `--resume` needs none",
        )
    settings = None if config is None else _settings(config, given["change"])
    if given["dry_run"]:
        assert settings is not None or is_resumed
        _estimate(console, settings or _of_run(output), number, given)
        return
    if output is None:
        raise UsageError("no folder for the run was named", hint="`-o RUN`")
    with running(console):
        from remover.train import stage as story
        from remover.train.parallel import world
        from remover.train.runs import withdraw

        init = given.get("init")
        targets = story.Given(given["latents"], init, given.get("samples"))
        tell: Callable[..., Done] = story.stage1 if number == 1 else story.stage2
        with world(where) as here:
            run = _run(output, settings, number, here.is_main, resume=is_resumed)
            try:
                done = tell(run, targets, here, console if here.is_main else Silent())
            except RemoverError:
                if here.is_main and not is_resumed:
                    withdraw(run)
                raise
            is_main = here.is_main
    if is_main:
        _present(console, run, done)


def _run(
    output: Path, settings: "Settings | None", number: int, is_main: bool, *, resume: bool
) -> "Run":
    from remover.train import runs

    if resume:
        return runs.resumed(output, settings, number)
    assert settings is not None
    return runs.begin(output, settings, number) if is_main else runs.Run(output, settings, number)


def _of_run(output: Path | None) -> "Settings":
    from remover.train.runs import opened

    if output is None:
        raise UsageError("no folder for the run was named", hint="`-o RUN`")
    return opened(output).settings


def _estimate(console: Console, settings: "Settings", number: int, given: dict[str, Any]) -> None:
    from remover.train import estimate

    found = estimate.estimate(
        settings, stage=number, gpu=estimate.gpu(given["gpu"]), devices=given["devices"]
    )
    if console.display.json:
        console.data_json({"schema": SCHEMA, **estimate.plain(found)})
    else:
        console.data("".join(f"{name:<28} {value}\n" for name, value in estimate.rows(found)))


def _present(console: Console, run: "Run", done: "Done") -> None:
    console.done(
        f"stage {run.stage} is done: {done.steps} steps, loss {done.loss:.4f}, on held-out clips "
        f"{done.held_out:.4f}; {done.samples_per_second:.1f} samples/s"
    )
    if console.display.json:
        from dataclasses import asdict

        values = {k: None if v != v else v for k, v in asdict(done).items()}
        console.data_json({"schema": SCHEMA, "run": str(run.folder), **values})
