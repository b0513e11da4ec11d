import json
import math
from dataclasses import replace

import cv2
import pytest

from remover.errors import UsageError
from remover.progress import Silent
from remover.train import ablation, plots
from remover.train.ablation import ALPHAS, ARMS, Mean, Result, mean


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of one seed and a few steps, and its settings."""
    from remover.train.presets import load

    settings = load("ablation")
    network = replace(
        settings.network, num_attention_heads=2, attention_head_dim=12, num_layers=1, ffn_dim=24
    )
    stage = replace(settings.stage1, steps=3, batch=3, micro_batch=3, warmup=0, cooldown=0)
    settings = replace(
        settings,
        network=network,
        stage1=stage,
        stage2=stage,
        data=replace(
            settings.data, clips=6, held_out=2, sizes=((32, 32),), frames=5, leading_frames=1
        ),
        autoencoder=replace(settings.autoencoder, width=8, z_dim=4, steps=4),
        curation=replace(settings.curation, clips=3, steps=2, success=0.0),
        log=replace(settings.log, checkpoint_every=3, sheet_every=0),
    )
    folder = tmp_path_factory.mktemp("study")
    return settings, folder, ablation.ablation(settings, [5], folder, "cpu", Silent())


def test_every_arm_is_measured_from_every_noise(study):
    _, folder, found = study
    assert {(one.arm, one.alpha) for one in found} == {(arm, a) for arm in ARMS for a in ALPHAS}
    assert all(one.seed == 5 and math.isfinite(one.psnr_mask) for one in found)
    assert json.loads((folder / ablation.RESULTS).read_text()) == ablation.to_json(found)


def test_arms_differ_only_in_what_they_are_named_for(study):
    settings, folder, _ = study
    from remover.train.runs import opened

    runs = {arm: opened(folder / f"5-{arm}").settings for arm in ARMS}
    assert runs["plain"].bad_noise.share == 0
    assert runs["curated"].bad_noise.alpha == "0"
    assert runs["bad-noise"] == replace(settings, seed=5)
    assert len({replace(one, bad_noise=settings.bad_noise) for one in runs.values()}) == 1


def test_what_is_done_is_not_done_again(study, monkeypatch):
    settings, folder, found = study
    monkeypatch.setattr(ablation, "evaluate", None)
    assert ablation.ablation(settings, [5], folder, "cpu", Silent()) == found


def test_means_have_intervals_over_seeds():
    found = [
        Result("plain", seed, 0.1, back, 0.0, 0.0) for seed, back in enumerate((0.1, 0.2, 0.6))
    ]
    value, half = mean(found, "plain", 0.1, "came_back").value, 4.30 * 0.2645751 / math.sqrt(3)
    assert value == pytest.approx(0.3)
    assert mean(found, "plain", 0.1, "came_back").half == pytest.approx(half)
    assert str(Mean(0.3, 0.25)) == "0.300 ± 0.250"
    assert str(mean(found[:1], "plain", 0.1, "came_back")) == "0.100"
    with pytest.raises(ValueError, match="no result of `curated`"):
        mean(found, "curated", 0.1, "came_back")


def test_the_table_and_the_picture_show_every_arm(study, tmp_path):
    found = study[2]
    assert ablation.table(found).count("\n") == 2 + len(ARMS) * len(ALPHAS)
    panels = ablation.picture(found)
    assert [set(panel.curves) for panel in panels] == [set(ARMS)] * 3
    plots.draw(tmp_path / "curves.png", panels)
    assert cv2.imread(str(tmp_path / "curves.png")).shape[1] > 1000


def test_without_the_library_there_is_one_sentence(study, tmp_path, no_module):
    no_module("matplotlib", "matplotlib.figure")
    with pytest.raises(UsageError, match="curves need `matplotlib`") as error:
        plots.draw(tmp_path / "curves.png", ablation.picture(study[2]))
    assert "remover[train]" in (error.value.hint or "")
