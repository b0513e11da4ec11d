"""Fixtures for every test."""

import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run on all cores already, one on each

import av
import cv2
import forks
import numpy as np
import pytest

from remover.config import quiet_libraries

quiet_libraries()  # before the encoder that greets on stderr is first used

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """A cache of its own for every test: no masks or weights of the machine or of other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def quick_python(tmp_path_factory):
    """The words of a Python that has imported what `remover` needs when it starts."""
    if sys.platform != "linux":
        yield [sys.executable]
        return
    where = str(tmp_path_factory.mktemp("forks") / "socket")
    server = subprocess.Popen(
        [sys.executable, forks.__file__, "serve", where],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout.readline() == b"ready\n"
    yield forks.python(where)
    server.communicate()


class Web:
    """A server of files on this machine that goes wrong when it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        """The path and the headers of each request."""
        self.faults: list[Callable[[BaseHTTPRequestHandler, bytes], bool]] = []
        """Called in turn, one a request; whether it has answered."""
        self.go_on = threading.Event()
        """What ``halt`` waits for."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def put(self, path: str, content: bytes) -> str:
        """Serve a file; its address."""
        self.files[f"/{path}"] = content
        return self.url(path)

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @staticmethod
    def cut(count: int):
        """Send so many bytes of what is asked for, and hang up."""

        def fault(handler: BaseHTTPRequestHandler, content: bytes) -> bool:
            start = send_head(handler, content)
            handler.wfile.write(content[start : start + count])
            return True

        return fault

    def halt(self, count: int):
        """Send so many bytes of what is asked for, and wait."""

        def fault(handler: BaseHTTPRequestHandler, content: bytes) -> bool:
            start = send_head(handler, content)
            handler.wfile.write(content[start : start + count])
            handler.wfile.flush()
            self.go_on.wait(120)
            return True

        return fault

    @staticmethod
    def whole(handler: BaseHTTPRequestHandler, content: bytes) -> bool:
        """Send all, whatever part was asked for."""
        del handler.headers["Range"]
        handler.wfile.write(content[send_head(handler, content) :])
        return True

    @staticmethod
    def answer(status: int, body: bytes = b"", **headers: str):
        """Answer so, without the file."""

        def fault(handler: BaseHTTPRequestHandler, _: bytes) -> bool:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)
            return True

        return fault


def send_head(handler: BaseHTTPRequestHandler, content: bytes) -> int:
    """Send the head of the answer to a request for a file or the rest of it; where that begins."""
    tag = f'"{zlib.crc32(content)}"'
    asked = handler.headers.get("Range")
    is_rest = asked is not None and handler.headers.get("If-Range", tag) == tag
    start = int(asked.removeprefix("bytes=").rstrip("-")) if is_rest else 0
    handler.send_response(206 if is_rest else 200)
    if is_rest:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - start))
    handler.send_header("ETag", tag)
    handler.end_headers()
    return start


def _handler_of(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.path, dict(self.headers)))
            content = web.files.get(self.path, b"")
            with contextlib.suppress(ConnectionError):
                if web.faults and web.faults.pop(0)(self, content):
                    return
                if self.path not in web.files:
                    self.send_error(404)
                    return
                self.wfile.write(content[send_head(self, content) :])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def web(monkeypatch):
    """A server of files on this machine, reached without a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Web()
    yield server
    server.close()


class Told:
    """A ``Progress`` that keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None, str]] = []
        self.done = self.skipped = 0
        self.said: list[str] = []

    def start(self, stage: str, total: int | None, unit: str = "frames") -> None:
        self.stages.append((stage, total, unit))
        self.done = self.skipped = 0

    def advance(self, frames: int = 1) -> None:
        self.done += frames

    def skip(self, frames: int = 1) -> None:
        self.skipped += frames

    def note(self, message: str) -> None:
        self.said.append(message)

    warn = note


@pytest.fixture
def told() -> Told:
    return Told()


def write_checkpoint(folder: Path, *, seed: int = 0, **dit: int) -> Path:
    """A tiny checkpoint of the remover with random weights, in the layout of the release."""
    import torch
    from safetensors.torch import save_file

    from remover.models.config import DiTConfig, VaeConfig
    from remover.models.dit import DiT
    from remover.models.vae import WanVae

    shape = {"num_attention_heads": 2, "attention_head_dim": 12, "num_layers": 2, "ffn_dim": 40}
    shape |= {"freq_dim": 32, **dit}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        networks = {"transformer": DiT(DiTConfig(**shape))}
        networks["vae"] = WanVae(VaeConfig(base_dim=4, num_res_blocks=1))
        for network in networks.values():
            for name, value in network.state_dict().items():
                if name.endswith("table"):
                    value.normal_(0, 0.3)
    vae = {"base_dim": 4, "num_res_blocks": 1, "z_dim": 16}
    configs = {
        "transformer/config.json": shape,
        "vae/config.json": vae,
        "scheduler/scheduler_config.json": {"flow_shift": 3.0},
    }
    for name, values in configs.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(json.dumps(values))
    for name, network in networks.items():
        tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
        save_file(tensors, folder / name / "diffusion_pytorch_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A tiny checkpoint with random weights."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def make_checkpoint():
    """The function that writes one."""
    return write_checkpoint


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development material beside the checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("REMOVER_SHARED", ROOT.parent / "shared"))
    if not (folder / "bench").is_dir():
        pytest.skip(f"no development material in {folder}")
    return folder


@dataclass(frozen=True)
class Clip:
    """A synthetic video with what is true about it."""

    path: Path
    box: tuple[int, int, int, int]
    """x, y, w, h of the object on the first frame."""
    clean: list[np.ndarray]
    """The background of each frame, R'G'B' (H, W, 3)."""
    masks: list[np.ndarray]


def textured(height: int, width: int, seed: int = 3) -> np.ndarray:
    """A picture with detail at several scales, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 110.0, np.float32)
    for cell, contrast in ((4, 18), (11, 30), (37, 40)):
        coarse = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (width, height))
    return np.clip(total, 20, 235).astype(np.uint8)


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory):
    """A function that writes a clip: a square moves before a textured background."""

    def make(
        name: str = "clip.mkv",
        *,
        frames: int = 24,
        height: int = 96,
        width: int = 128,
        pan: float = 0.0,
        codec: str = "ffv1",
        pixel_format: str = "yuv444p",
        options: dict[str, str] | None = None,
        audio: bool = False,
        cut_at: int | None = None,
    ) -> Clip:
        path = tmp_path_factory.mktemp("clip") / name
        scene = textured(height, width + int(abs(pan) * frames) + 1)
        other = textured(height, width + int(abs(pan) * frames) + 1, seed=8)[::-1] // 2
        clean, masks = [], []
        side = height // 4
        with av.open(str(path), "w") as container:
            video = container.add_stream(codec, rate=24, options=options or {})
            video.width, video.height, video.pix_fmt = width, height, pixel_format
            sound = container.add_stream("pcm_s16le", rate=8000, layout="mono") if audio else None
            for t in range(frames):
                left = round(pan * t)
                behind = other if cut_at is not None and t >= cut_at else scene
                picture = behind[:, left : left + width].copy()
                clean.append(picture.copy())
                x = 4 + t * (width - side - 8) // max(1, frames - 1)
                y = height // 3
                mask = np.zeros((height, width), bool)
                mask[y : y + side, x : x + side] = True
                masks.append(mask)
                picture[mask] = (230, 30, 40)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = t, Fraction(1, 24)
                container.mux(video.encode(frame))
            container.mux(video.encode())
            if sound is not None:
                tone = (np.sin(np.arange(8000 * frames // 24) * 0.2) * 9000).astype(np.int16)
                block = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = 8000, 0, Fraction(1, 8000)
                container.mux(sound.encode(block))
                container.mux(sound.encode())
        return Clip(path, (4, height // 3, side, side), clean, masks)

    return make


def exr_attribute(name: str, kind: str, value: bytes) -> bytes:
    return b"%b\0%b\0%b%b" % (name.encode(), kind.encode(), struct.pack("<i", len(value)), value)


def _exr_block(raw: bytes) -> bytes:
    """Bytes as ZIP stores them: even and odd ones apart, then differences, then deflated."""
    values = np.frombuffer(raw, np.uint8)
    values = np.concatenate([values[::2], values[1::2]])
    steps = np.diff(values, prepend=values[:1]) + np.uint8(128)
    steps[0] = values[0]
    small = zlib.compress(steps.tobytes())
    return small if len(small) < len(raw) else raw


def make_exr(
    channels: dict[str, np.ndarray],
    *,
    is_zip: bool = False,
    data: tuple[int, int, int, int] | None = None,
    display: tuple[int, int, int, int] | None = None,
    more: bytes = b"",
    step: int = 1,
    version: int = 2,
) -> bytes:
    """An OpenEXR file of one part.

    Args:
        channels: Arrays (H, W) of uint32, float16 or float32 by name.
        is_zip: Whether it is compressed, 16 rows to a block.
        data: The data window, by default at 0,0.
        display: The display window, by default the same.
        more: Further attributes, as ``exr_attribute`` gives them.
        step: Pixels to a sample that the header claims.
        version: Version and flags.
    """
    names = sorted(channels)
    height, width = channels[names[0]].shape
    data = data or (0, 0, width - 1, height - 1)
    kinds = {"uint32": 0, "float16": 1, "float32": 2}
    listed = b"".join(
        name.encode() + b"\0" + struct.pack("<iB3xii", kinds[array.dtype.name], 0, step, step)
        for name, array in sorted(channels.items())
    )
    head = struct.pack("<ii", 20000630, version) + b"".join(
        [
            exr_attribute("channels", "chlist", listed + b"\0"),
            exr_attribute("compression", "compression", b"\3" if is_zip else b"\0"),
            exr_attribute("dataWindow", "box2i", struct.pack("<4i", *data)),
            exr_attribute("displayWindow", "box2i", struct.pack("<4i", *(display or data))),
            exr_attribute("lineOrder", "lineOrder", b"\0"),
            more,
            b"\0",
        ]
    )
    rows = 16 if is_zip else 1
    blocks = []
    for top in range(0, height, rows):
        lines = range(top, min(top + rows, height))
        raw = b"".join(channels[name][y].tobytes() for y in lines for name in names)
        body = _exr_block(raw) if is_zip else raw
        blocks.append(struct.pack("<ii", top + data[1], len(body)) + body)
    starts = len(head) + 8 * len(blocks) + np.cumsum([0] + [len(b) for b in blocks[:-1]])
    return head + starts.astype("<u8").tobytes() + b"".join(blocks)


class Exr:
    """The functions above, for tests."""

    make = staticmethod(make_exr)
    attribute = staticmethod(exr_attribute)


@pytest.fixture
def exr() -> Exr:
    return Exr()
