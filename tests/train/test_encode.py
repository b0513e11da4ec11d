import itertools

import numpy as np
import pytest
import torch

from remover.errors import InputError, OutputError
from remover.fill.diffusion import mask_video, masked
from remover.models.dit import Contrast
from remover.models.stream import Stream
from remover.train.clips import UnusableClip
from remover.train.encode import (
    clean_latents,
    digest_of,
    encode,
    hole_latents,
    training_clips,
)
from remover.train.latents import INDEX, Latents
from remover.train.procedural import Procedural


class Damaged(Procedural):
    """Clips of which some are broken."""

    broken = (0, 3)

    def clip(self, index):
        if index in self.broken:
            raise UnusableClip(f"clip-{index}", "it is damaged")
        return super().clip(index)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_training_clip_is_encoded_as_often_as_said(tmp_path, tiny_settings, tiny_vae, told):
    settings = tiny_settings()
    latents = encode(settings, tmp_path / "a", tiny_vae, progress=told)
    clips = Procedural(settings.data, settings.seed)
    keys = sorted(sample.key for sample in latents.samples())
    assert keys == [
        f"{index:08d}-{repeat}"
        for index in range(7)
        if index not in clips.held_out
        for repeat in range(2)
    ]
    assert told.stages == [("encode", 50, "frames")]
    assert told.done == 50
    assert latents.about["stage"] == 1
    assert latents.about["dtype"] == "float32"
    (first, *_) = latents.samples()
    assert first.shape == (4, 2, 4, 4)
    assert {s.contrast for s in latents.samples()} <= {Contrast.REMOVE, Contrast.GENERATE}


def test_latents_are_those_that_the_painter_makes(tiny_vae):
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, (9, 32, 48, 3), np.uint8)
    hole = rng.random((9, 32, 48)) > 0.5
    whole = torch.from_numpy(video).permute(3, 0, 1, 2).float() / 127.5 - 1
    holes = torch.from_numpy(hole)
    expected = [
        tiny_vae.encode(picture[None], Stream())[0]
        for picture in (whole, masked(whole, holes), mask_video(holes, whole))
    ]
    found = [clean_latents(tiny_vae, video), *hole_latents(tiny_vae, video, hole)]
    for one, two in zip(found, expected, strict=True):
        assert one.shape == (4, 3, 4, 6)
        assert torch.allclose(one, two, atol=1e-6)


def test_the_clean_latents_are_of_the_clip_and_the_mask_is_its_own_where_said(
    tmp_path, tiny_settings, tiny_vae
):
    settings = tiny_settings("data.own=1", "data.leading=0", "data.dilate=[0, 0]")
    clips = Procedural(settings.data, settings.seed)
    for sample in encode(settings, tmp_path / "a", tiny_vae).samples():
        clip = clips.clip(int(sample.key.split("-")[0]))
        assert torch.equal(sample.clean, clean_latents(tiny_vae, clip.frames))
        assert torch.equal(sample.mask, hole_latents(tiny_vae, clip.frames, clip.own)[1])
        assert sample.contrast == Contrast.GENERATE


def test_stage_2_learns_from_unrelated_masks_alone(tmp_path, tiny_settings, tiny_vae):
    settings = tiny_settings("data.own=1")
    latents = encode(settings, tmp_path / "a", tiny_vae, is_stage2=True)
    assert {sample.contrast for sample in latents.samples()} == {Contrast.REMOVE}
    assert latents.about["stage"] == 2


def test_the_same_settings_give_the_same_bytes_and_others_do_not(tmp_path, tiny_settings, tiny_vae):
    for name, change in (("a", "seed=1"), ("b", "seed=1"), ("c", "seed=2")):
        encode(tiny_settings(change), tmp_path / name, tiny_vae)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert files_of(tmp_path / "a") != files_of(tmp_path / "c")


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_stopped_anywhere_it_goes_on_and_ends_with_the_same_bytes(
    tmp_path, tiny_settings, tiny_vae, monkeypatch, told, stop
):
    monkeypatch.setattr("remover.train.encode.MEGABYTE", 3000)
    settings = tiny_settings("data.shard_mb=1")
    encode(settings, tmp_path / "whole", tiny_vae)
    assert len(Latents.read(tmp_path / "whole").shards) > 1

    class Stopping(Procedural):
        left = stop

        def clip(self, index):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().clip(index)

    place = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        encode(settings, place, tiny_vae, clips=Stopping(settings.data, settings.seed))
    assert not (place / INDEX).exists()
    encode(settings, place, tiny_vae, progress=told)
    assert told.skipped + told.done == told.stages[-1][1]
    assert told.skipped == stop * 10
    assert files_of(place) == files_of(tmp_path / "whole")


def test_damaged_clips_are_skipped_counted_and_named(tmp_path, tiny_settings, tiny_vae, told):
    settings = tiny_settings("data.held_out=0")
    clips = Damaged(settings.data, settings.seed)
    latents = encode(settings, tmp_path / "a", tiny_vae, clips=clips, progress=told)
    assert len(latents) == 10
    assert {(one.name, one.reason) for one in latents.skipped} == {
        ("clip-0", "it is damaged"),
        ("clip-3", "it is damaged"),
    }
    assert sum("clip-3" in message for message in told.said) == 1


def test_nothing_usable_is_an_error_that_leaves_nothing(tmp_path, tiny_settings, tiny_vae):
    settings = tiny_settings("data.held_out=0", "data.folder=clips")
    clips = Damaged(settings.data, settings.seed)
    clips.broken = range(7)
    with pytest.raises(InputError, match=r"none of the 7 clips in `clips`.*it is damaged"):
        encode(settings, tmp_path / "a", tiny_vae, clips=clips)
    assert not (tmp_path / "a").exists()


def test_finished_latents_are_kept_if_they_fit(tmp_path, tiny_settings, tiny_vae, told):
    encode(tiny_settings(), tmp_path / "a", tiny_vae)
    before = files_of(tmp_path / "a")
    encode(tiny_settings(), tmp_path / "a", tiny_vae, progress=told)
    assert files_of(tmp_path / "a") == before
    assert told.stages == []
    assert "already" in told.said[0]
    with pytest.raises(OutputError, match=r"`data.own` is `0.25` there and `0.5` now"):
        encode(tiny_settings("data.own=0.5"), tmp_path / "a", tiny_vae)
    (tmp_path / "a" / "shard-00000.tar").unlink()
    with pytest.raises(InputError, match="missing or cut off"):
        encode(tiny_settings(), tmp_path / "a", tiny_vae)


def test_an_object_store_takes_them_too(tiny_settings, tiny_vae, tmp_path):
    there = encode(tiny_settings(), "memory://encoded/latents", tiny_vae)
    here = encode(tiny_settings(), tmp_path / "a", tiny_vae)
    for one, two in itertools.zip_longest(there.samples(), here.samples()):
        assert one.key == two.key
        assert torch.equal(one.masked, two.masked)


def test_the_order_is_permuted_and_leaves_out_what_is_held_out(tiny_settings):
    clips = Procedural(tiny_settings("data.clips=40", "data.held_out=5").data, 0)
    order = training_clips(clips, 0)
    assert sorted(order) == sorted(set(range(40)) - clips.held_out)
    assert order != sorted(order)
    assert order == training_clips(clips, 0)
    assert order != training_clips(clips, 1)


def test_weights_are_told_apart(tiny_vae):
    import copy

    other = copy.deepcopy(tiny_vae)
    assert digest_of(other) == digest_of(tiny_vae)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1e-6
    assert digest_of(other) != digest_of(tiny_vae)
