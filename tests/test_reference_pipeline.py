"""The reference's whole runs, as far as they go on in latents: six steps of the miniature network.

What needs the VAE (latents of the masked video and of the mask from pictures, pictures from
``mid.decoder_input``) and the mask (``mid.mask_resized_binary``) is not looked at here.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from oracles import assert_near, found, read
from test_sampling import rule_of

from remover.models.config import DiTConfig
from remover.models.dit import DiT, load_dit
from remover.sampling import SamplerConfig, sample, schedule

TOLERANCE = 1e-4

pytestmark = pytest.mark.reference


def checkpoint(folder: Path) -> tuple[DiT, SamplerConfig]:
    """The network and the solver of a checkpoint in the released layout."""
    config = json.loads((folder / "transformer" / "config.json").read_text())
    weights, _ = read(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    solver = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    return load_dit(DiTConfig.from_json(config), weights), SamplerConfig.from_json(solver)


@pytest.mark.parametrize("path", found("pipeline/*.safetensors"))
def test_every_step_gives_the_reference_latents(path):
    wanted, about = read(path)
    # A file of another release holds only what changes with it.
    inputs, _ = read(path.with_name(path.name.split(".")[0] + ".io.safetensors"))
    dit, released = checkpoint(path.parent)
    assert released.shift == about["shift"]
    config = replace(released, rule=rule_of(about["diffusers"]))
    table = schedule(config, about["case"]["steps"])
    assert list(table.timesteps) == wanted["mid.timesteps"].tolist()

    known = torch.cat([inputs["mid.masked_latents"], inputs["mid.mask_latents"]], dim=1)
    velocities = []

    def velocity(x, step):
        velocities.append(dit(torch.cat([x, known], dim=1), torch.tensor([step.timestep])))
        return velocities[-1]

    states = torch.cat(list(sample(velocity, inputs["input.latents"], config, table)))
    assert_near(states, wanted["mid.latents_after_step"], TOLERANCE, "latents")
    assert_near(torch.cat(velocities), wanted["mid.velocity_per_step"], TOLERANCE, "velocities")
