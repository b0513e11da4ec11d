"""The reference's whole runs: pictures and masks to latents, the steps of the solver, and back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from oracles import assert_near, found, read
from test_sampling import rule_of
from torch import Tensor
from torch.nn import functional

from remover import tensorfile, weights
from remover.fill.diffusion import decoded, known_latents, masked, part_velocity, resized_hole
from remover.models.config import DiTConfig, VaeConfig
from remover.models.dit import DiT
from remover.models.load import load_dit, load_vae
from remover.models.vae import WanVae
from remover.sampling import SamplerConfig, sample, schedule
from remover.types import Size

TOLERANCE = 1e-4

pytestmark = pytest.mark.reference


@dataclass
class Case:
    """One run of the reference and the checkpoint that it had."""

    wanted: dict[str, Tensor]
    facts: dict[str, Any]
    dit: DiT
    vae: WanVae
    config: SamplerConfig


@pytest.fixture(params=found("pipeline/*.safetensors"))
def case(request) -> Case:
    path: Path = request.param
    changed, about = read(path)
    # A file of another release holds only what changes with it.
    inputs, _ = read(path.with_name(path.name.split(".")[0] + ".io.safetensors"))
    files = weights.released(path.parent)
    dit = DiTConfig.from_json(weights.config_of(files.transformer_config))
    vae = VaeConfig.from_release(weights.config_of(files.vae_config))
    solver = SamplerConfig.from_json(weights.config_of(files.scheduler_config))
    assert solver.shift == about["shift"]
    return Case(
        {**inputs, **changed},
        about["case"],
        load_dit(dit, tensorfile.read(files.transformer)),
        load_vae(vae, tensorfile.read(files.vae)),
        replace(solver, rule=rule_of(about["diffusers"])),
    )


def grown_hole(case: Case) -> Tensor:
    """(T, H, W): the masks grown as the reference does it, at the size of the pictures."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    given = case.wanted["input.masks_fhw1"][..., 0].numpy().astype(np.uint8)
    rounds = case.facts["it"]
    return torch.from_numpy(np.stack([cv2.dilate(m, cross, iterations=rounds) for m in given])) > 0


def groups(video: Tensor, hole: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    yield video[:, :1], hole[:1]
    for start in range(1, video.shape[1], 4):
        yield video[:, start : start + 4], hole[start : start + 4]


def test_a_run_from_pictures_to_pictures_gives_the_reference_numbers(case):
    wanted = case.wanted
    *_, height, width = wanted["mid.mask_resized_binary"].shape
    hole = resized_hole(grown_hole(case), Size(height, width))
    assert torch.equal(hole, wanted["mid.mask_resized_binary"][0, 0] > 0)

    frames = wanted["input.frames_fhwc"].permute(0, 3, 1, 2)
    video = functional.interpolate(frames, (height, width), mode="bilinear").transpose(0, 1)
    assert_near(masked(video, hole)[None], wanted["mid.masked_images"], 1e-6, "masked pictures")

    known = known_latents(case.vae, groups(video, hole), None)
    both = torch.cat([wanted["mid.masked_latents"], wanted["mid.mask_latents"]], dim=1)
    assert_near(known, both, TOLERANCE, "what is known")

    velocities = []
    asked = part_velocity(case.dit, torch.float32, 1.0)

    def velocity(x, step):
        velocities.append(asked(x, known, step))
        return velocities[-1]

    table = schedule(case.config, case.facts["steps"])
    assert list(table.timesteps) == wanted["mid.timesteps"].tolist()
    states = list(sample(velocity, wanted["input.latents"], case.config, table))
    assert_near(torch.cat(velocities), wanted["mid.velocity_per_step"], TOLERANCE, "velocities")
    assert_near(torch.cat(states), wanted["mid.latents_after_step"], TOLERANCE, "latents")

    shown = torch.cat([*decoded(case.vae, states[-1], None)], dim=1).permute(1, 2, 3, 0)
    assert_near(shown / 2 + 0.5, wanted["output.video_fhwc"], TOLERANCE, "pictures")
