"""Small clips made on the spot, each with the trouble that a test needs."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from remover.types import Size
from remover.video import Reader, Writer, layout_of, plan_output, probe
from remover.video.layouts import plane_shape, write_planes

RATE = 24


def picture_planes(layout, size: Size, number: int) -> list[np.ndarray]:
    """A smooth moving gradient in every plane, different for every frame."""
    top = (1 << layout.bit_depth) - 1
    kind = np.uint8 if layout.bit_depth == 8 else np.uint16
    planes = []
    for place in range(len(set(layout.order)) if layout.planar else 1):
        shape = plane_shape(layout, size, place)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        values = (rows * 2 + columns * 3 + number * 11 + place * 40) % (top - top // 4) + top // 8
        if len(shape) == 3:
            values = np.stack([values + 7 * c for c in range(shape[2])], axis=-1)
        planes.append(np.clip(values, 0, top).astype(kind))
    return planes


def make_frame(pixel_format: str, size: Size, number: int) -> av.VideoFrame:
    layout = layout_of(pixel_format)
    frame = av.VideoFrame(size.width, size.height, pixel_format)
    write_planes(frame, layout, picture_planes(layout, size, number))
    return frame


def write_video(
    path: Path,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (48, 64),
    times: Sequence[int] = tuple(range(12)),
    time_base: Fraction = Fraction(1, RATE),
    rate: Fraction | int = RATE,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    audio: str | None = None,
    setup: Callable | None = None,
    before_packets: Callable | None = None,
) -> Path:
    """Write a clip; ``setup(container, stream)`` may change both before the header."""
    if codec == "libx264":
        options = {"preset": "ultrafast", **(options or {})}
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.height, video.width = size
        video.pix_fmt = pixel_format
        video.time_base = time_base
        video.codec_context.time_base = time_base
        sound = None
        if audio:
            sound = container.add_stream(audio, rate=48000)
        if setup is not None:
            setup(container, video)
        if before_packets is not None:
            container.start_encoding()
            before_packets(container)
        if sound is not None:
            _write_sound(container, sound, float(times[-1] * time_base) + 0.2)
        for number, time in enumerate(times):
            frame = make_frame(pixel_format, Size(*size), number)
            frame.pts, frame.time_base = time, time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def _write_sound(container, stream, seconds: float) -> None:
    count = int(48000 * seconds)
    wave = (np.sin(np.arange(count) * 0.05) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave], 1).reshape(1, -1), "s16", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    for part in av.AudioResampler(stream.format.name, "stereo", 48000, frame_size=1024).resample(
        frame
    ):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def scanned(path: Path) -> Reader:
    """A reader of ``path`` that has seen every frame."""
    reader = Reader(probe(path))
    for _ in reader.scan():
        pass
    return reader


def rewrite(source: Path, target: Path, *, codec=None, crf=None, lossless=False, change=None):
    """Pass every frame of ``source`` through to ``target``; the reader and the plan."""
    reader = scanned(source)
    plan = plan_output(reader.info, target, codec=codec, crf=crf, lossless=lossless)
    with Writer(reader.info, reader.index, plan, target) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.planes if change is None else change(frame))
    return reader, plan


class Studio:
    """The functions above, for tests."""

    write = staticmethod(write_video)
    scanned = staticmethod(scanned)
    rewrite = staticmethod(rewrite)
    planes = staticmethod(picture_planes)
    frame = staticmethod(make_frame)


@pytest.fixture
def studio() -> Studio:
    return Studio()
