"""The story of each stage: make ready, learn, and say what came of it."""

from collections.abc import Callable
from pathlib import Path

import torch

from remover.errors import TrainingError, UsageError
from remover.models.dit import DiT
from remover.models.load import AnyVae
from remover.progress import Progress
from remover.train import initial, lora, results, sheets, verdicts
from remover.train.clips import source
from remover.train.encode import digest_of
from remover.train.initial import Start
from remover.train.latents import Latents, is_finished
from remover.train.learner import Learner
from remover.train.loop import Done, Material, train
from remover.train.material import Encoded, encoded
from remover.train.networks import learnt, transformer
from remover.train.parallel import World
from remover.train.runs import Run, opened
from remover.train.settings import Settings
from remover.train.stages import curated_count

_WEIGHTS = 0x1417
"""Tells the draws of first weights apart."""


def stage1(run: Run, here: World, progress: Progress) -> Done:
    """Learn to fill masks under contrast tokens (paper, section 3.2)."""
    clips = _clips(run, here, progress)
    z_dim = clips.vae.config.z_dim
    start = initial.first_weights(
        run.settings.network, z_dim, is_stage2=False, generator=_generator(run)
    )
    material = Material(clips.plain, clips.held)
    return _learn(run, start, material, clips.vae, here, progress)


def stage2(run: Run, here: World, progress: Progress) -> Done:
    """Learn to remove without tokens, from noise that brings objects back (section 3.3).

    Raises:
        UsageError: A step would hold no curated sample.
        TrainingError: No result of stage 1 was accepted.
    """
    settings = run.settings
    if settings.bad_noise.share and not curated_count(settings):
        raise UsageError(
            f"a third of a batch of {settings.stage2.batch} holds no curated sample",
            hint="raise `stage2.batch`, or `bad_noise.share`",
        )
    first = None if run.given.init is None else opened(run.given.init)
    clips = _clips(run, here, progress)
    start = _second_start(run, first, clips.vae)
    curated = None
    if curated_count(settings):
        curated = _curated(run, clips.vae, here, progress)
    material = Material(clips.plain, clips.held, curated)
    return _learn(run, start, material, clips.vae, here, progress)


def _clips(run: Run, here: World, progress: Progress) -> Encoded:
    return encoded(
        run.settings,
        run.given.latents or str(run.latents),
        run.vae,
        here,
        progress,
        is_stage2=run.stage == 2,
        other=None if run.given.init is None else Run(run.given.init, run.settings, 1).vae,
    )


def _second_start(run: Run, first: Run | None, vae: AnyVae) -> Start:
    """The first weights of stage 2."""
    z_dim = vae.config.z_dim
    config = run.settings.network.shape(z_dim, is_stage2=True)
    if first is None:
        return initial.first_weights(
            run.settings.network, z_dim, is_stage2=True, generator=_generator(run)
        )
    network = transformer(first)
    return initial.from_stage1(network.state_dict(), network.config, config, _generator(run))


def _curated(run: Run, vae: AnyVae, here: World, progress: Progress) -> Latents:
    """The accepted results of stage 1.

    Raises:
        UsageError: There are none to take, and they cannot be judged without a person.
        TrainingError: None was accepted.
    """
    folder = run.given.samples or run.samples
    if run.given.samples is None and not is_finished(folder / results.LATENTS):
        _make(run, folder, here, progress)
    kept = verdicts.accepted(folder)
    latents = Latents.read(folder / results.LATENTS)
    if latents.about.get("vae") != digest_of(vae):
        raise UsageError(
            f"the results in `{folder}` were made with another autoencoder",
            hint="take samples, latents and `--init` of the same stage-1 run",
        )
    if not kept:
        raise TrainingError(
            f"none of the {len(latents)} results in `{folder}` was accepted",
            hint="train stage 1 longer, tune `curation.guidance`, or look at them: "
            f"remover train curate '{folder}'",
        )
    progress.note(f"{len(kept)} of {len(latents)} results of stage 1 are accepted")
    return latents.only(kept)


def _make(run: Run, folder: Path, here: World, progress: Progress) -> None:
    """Make results with the run of stage 1, judged by the known truth."""
    settings = run.settings
    if run.given.init is None or settings.data.source == "files" or here.size > 1:
        raise UsageError(
            "stage 2 learns from accepted results of stage 1, and none were named",
            hint="make them with `remover train sample RUN -o SAMPLES`, judge them with "
            "`remover train curate SAMPLES`, then pass `--samples SAMPLES`",
        )
    first = opened(run.given.init)
    results.make(
        learnt(first, here.device, settings),
        source(settings.data, settings.seed),
        folder,
        progress,
    )


def _learn(
    run: Run,
    start: Start,
    material: Material,
    vae: AnyVae,
    here: World,
    progress: Progress,
) -> Done:
    """Build the learner, and run the loop with a look now and then."""
    settings = run.settings
    stage = settings.stage1 if run.stage == 1 else settings.stage2
    make = builder(settings, start, run)
    network = make()
    network.load_state_dict(dict(start.tensors), strict=not settings.network.lora_rank)
    learner = Learner(network, make, stage, settings.compute, here)

    def look(done: int) -> None:
        path = sheets.look(run, learner, material.held, vae, done)
        if path is not None:
            progress.note(f"samples after {done} steps: {path}")

    return train(run, learner, material, progress, look)


def builder(settings: Settings, start: Start, run: Run) -> Callable[[], DiT]:
    """What makes transformers of the structure that a run trains."""

    def make() -> DiT:
        network = DiT(start.config)
        if settings.network.lora_rank:
            network.load_state_dict(dict(start.tensors))
            lora.adapt(network, adapters(settings, start), _generator(run))
        return network

    return make


def adapters(settings: Settings, start: Start) -> lora.Adapters:
    """The adapters that the settings ask for."""
    rank = settings.network.lora_rank
    return lora.Adapters(rank, settings.network.lora_alpha or float(rank), start.new)


def _generator(run: Run) -> torch.Generator:
    return torch.Generator().manual_seed(run.settings.seed + _WEIGHTS)
