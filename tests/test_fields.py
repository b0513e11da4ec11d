"""Interlaced pictures: what lines belong to which field, and a whole run on moving fields."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import remover
from remover import fields, pixels
from remover.fields import WHOLE
from remover.types import Rect, Size
from remover.video import Reader, layout_of, probe

SIZE = Size(96, 128)
YUV420, YUV422 = layout_of("yuv420p"), layout_of("yuv422p")
rects = st.builds(
    lambda top, left, height, width: Rect(top, left, top + height, left + width),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 36),
    st.integers(1, 60),
)


@given(rects, st.sampled_from([0, 1]))
def test_a_part_of_a_rectangle_is_what_a_field_has_of_it(rect, parity):
    picture = np.arange(SIZE.height * SIZE.width).reshape(SIZE)
    own = fields.mask_of(picture, parity)[fields.rect_of(rect, parity).slices]
    assert np.array_equal(own, fields.part_of(picture[rect.slices], rect, parity))
    assert fields.rect_of(rect, WHOLE) == rect
    assert fields.part_of(picture, rect, WHOLE) is picture


@given(rects, st.sampled_from([YUV420, YUV422]))
def test_blocks_hold_the_rectangle_and_begin_both_fields(rect, layout):
    blocks = fields.blocks_of(rect, layout, SIZE, (0, 1))
    assert blocks.union(rect) == blocks
    assert blocks.top % (2 << layout.chroma_shift_y) == 0
    assert blocks.bottom % (2 << layout.chroma_shift_y) == 0
    assert fields.blocks_of(rect, layout, SIZE, (WHOLE,)) == pixels.blocks_of(rect, layout, SIZE)


def test_a_chroma_line_belongs_to_its_own_field():
    before = [np.zeros((96, 128), np.uint8), *np.zeros((2, 48, 64), np.uint8)]
    after = [plane.copy() for plane in before]
    after[1][9, 5] = 7  # the second field's fifth line: rows 17 and 19 of the frame
    rect = Rect(16, 8, 24, 16)
    region = np.zeros(rect.size, bool)
    region[1, 2] = True  # row 17
    found = fields.changed_outside(before, after, YUV420, rect, region, (0, 1))
    assert found == 0
    assert fields.changed_outside(before, after, YUV420, rect, region, (WHOLE,)) == 1
    region[:] = False
    region[2, 2] = True  # row 18: the first field
    assert fields.changed_outside(before, after, YUV420, rect, region, (0, 1)) == 1


def scene(height: int, width: int) -> np.ndarray:
    draw = np.random.default_rng(4)
    coarse = draw.uniform(30, 220, (height // 8 + 2, width // 8 + 2, 3)).astype(np.float32)
    found = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(found, 0, 255).astype(np.uint8)


def interlaced(path: Path, *, top_first: bool, frames: int = 14) -> list[np.ndarray]:
    """A pan that gets faster, behind a square that crosses; returns the background.

    At first both fields of a frame show nearly the same, at the end they lie 6 pixels apart.
    """
    height, width = SIZE
    wide = scene(height, width + (2 * frames) ** 2 // 8 + 1)
    order = (0, 1) if top_first else (1, 0)
    truth = []
    params = f"{'tff' if top_first else 'bff'}=1:qp=0"
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct", "x264-params": params}
        video = container.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv422p"
        for t in range(frames):
            behind = np.zeros((height, width, 3), np.uint8)
            shown = behind.copy()
            for number, parity in enumerate(order):
                left = (2 * t + number) ** 2 // 8
                picture = wide[:, left : left + width].copy()
                behind[parity::2] = picture[parity::2]
                picture[32:64, 8 + 6 * t : 34 + 6 * t] = (230, 30, 40)
                shown[parity::2] = picture[parity::2]
            truth.append(behind)
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(format="yuv422p")
            frame.pts, frame.time_base = t, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return truth


def luma_error(path: Path, truth: list[np.ndarray], masks: list[np.ndarray]) -> float:
    errors = []
    for frame, behind, mask in zip(Reader(probe(path)).scan(), truth, masks, strict=True):
        true = av.VideoFrame.from_ndarray(behind, format="rgb24").reformat(format="yuv422p")
        plane = true.to_ndarray()[:, :, 0] if true.to_ndarray().ndim == 3 else true.to_ndarray()
        errors.append(np.abs(frame.planes[0].astype(int) - plane[: SIZE.height])[mask].mean())
    return float(np.mean(errors))


@pytest.mark.parametrize("top_first", [True, False])
def test_each_field_is_filled_at_its_own_instant(top_first, tmp_path, monkeypatch):
    source = tmp_path / "a.mkv"
    truth = interlaced(source, top_first=top_first)
    info = probe(source)
    assert info.interlaced
    assert info.top_field_first == top_first
    masks = []
    (tmp_path / "masks").mkdir()
    for t in range(len(truth)):
        mask = np.zeros(SIZE, bool)
        mask[32:64, 8 + 6 * t : 34 + 6 * t] = True
        masks.append(mask)
        cv2.imwrite(str(tmp_path / "masks" / f"{t:05d}.png"), mask.astype(np.uint8) * 255)
    report = remover.clean(source, tmp_path / "b.mkv", mask=[tmp_path / "masks"], lossless=True)
    assert report.promises.samples_changed_outside == 0
    assert probe(tmp_path / "b.mkv").interlaced
    by_fields = luma_error(tmp_path / "b.mkv", truth, masks)
    monkeypatch.setattr(fields, "LEAST_HEIGHT", 10**6)  # taken for progressive
    remover.clean(source, tmp_path / "c.mkv", mask=[tmp_path / "masks"], lossless=True)
    by_frames = luma_error(tmp_path / "c.mkv", truth, masks)
    assert by_fields < 4
    assert by_fields < 0.6 * by_frames
