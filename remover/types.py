"""Frozen values that pass between the parts. Height comes before width, always.

Frame indices are 0-based and count frames as a player shows them. Ranges are half open:
``start`` is in, ``stop`` is out. Coordinates are *shown* (rotation and sample aspect applied,
as the user sees them) only inside prompts; everywhere else they are *coded* pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from remover.painting import PaintPlan

    RGB = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    """A picture (H, W, 3), R'G'B'; 255 or 65535 is the nominal white (of float samples, the top
    of the curve in ``linear``)."""

    Mask = npt.NDArray[np.bool_]
    """A mask (H, W); True is inside."""

    Labels = npt.NDArray[np.uint8]
    """Object ids (H, W); 0 is no object."""
else:  # the command line reads this module, and numpy would double the time `--help` takes
    RGB = Mask = Labels = Any


class Size(NamedTuple):
    """A picture size in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        """Width first, as people write sizes."""
        return f"{self.width}x{self.height}"


class Rect(NamedTuple):
    """A half-open rectangle of pixels: rows ``top:bottom``, columns ``left:right``."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> Size:
        """Height and width."""
        return Size(self.bottom - self.top, self.right - self.left)

    @property
    def slices(self) -> tuple[slice, slice]:
        """An index for arrays whose first two axes are rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def union(self, other: Rect) -> Rect:
        """The smallest rectangle that holds both."""
        return Rect(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def moved(self, down: int, right: int) -> Rect:
        """This rectangle shifted by whole pixels."""
        return Rect(self.top + down, self.left + right, self.bottom + down, self.right + right)

    def grown(self, margin: int, bounds: Size) -> Rect:
        """This rectangle widened by ``margin`` on each side, cut to ``bounds``."""
        return Rect(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(bounds.height, self.bottom + margin),
            min(bounds.width, self.right + margin),
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the video: a frame index or a time; exactly one is set."""

    frame: int | None = None
    seconds: Fraction | None = None

    def __str__(self) -> str:
        """As it is written on the command line."""
        if self.frame is not None:
            return f"{self.frame}f"
        whole, rest = divmod(round((self.seconds or Fraction()) * 10**9), 10**9)
        return f"{whole}.{rest:09}".rstrip("0").rstrip(".") + "s"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something a user points at.

    ``values`` are shown coordinates: ``x, y, w, h`` of a box, ``x, y`` of a click or an avoided
    point, nothing for the others, whose ``path`` is set. ``moment`` None means the first frame,
    and for a file of masks every frame.
    """

    kind: Literal["box", "click", "avoid", "mask", "plate", "no-source", "keep"]
    values: tuple[float, ...] = ()
    path: Path | None = None
    moment: Moment | None = None
    object_id: int = 1
    text: str = ""
    """What the user typed, for messages."""

    @property
    def is_target(self) -> bool:
        """Whether it shows something to remove."""
        return self.kind in ("box", "click", "mask")

    @property
    def is_tracked(self) -> bool:
        """Whether a tracker is told of it."""
        return self.kind in ("box", "click", "avoid") or (
            self.kind == "mask" and self.moment is not None
        )


@dataclass(frozen=True, slots=True)
class PointPrompt:
    """A box, click or avoided point resolved against a video: coded coordinates, frame index.

    ``box`` is (left, top, right, bottom) in coded pixels, half open, not empty, cut to the
    picture; ``point`` is (x, y) inside the picture.
    """

    kind: Literal["box", "click", "avoid"]
    frame: int
    object_id: int
    box: tuple[float, float, float, float] | None = None
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class MaskPrompt:
    """A mask image on one frame, as the start of a track."""

    frame: int
    object_id: int
    mask: Mask = field(repr=False)


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the samples of a pixel format lie in memory.

    A planar format has one (H, W) array a component in ``planes``, chroma ones smaller by the
    shifts. A packed one has a single (H, W, channels) array. ``order`` gives, for Y, U, V
    (or R, G, B, or gray) and then alpha, the index of the plane or of the channel. Float samples
    are linear in light, 1.0 is white, and have 16 bits (half) or 32.
    """

    name: str
    family: Literal["yuv", "rgb", "gray"]
    bit_depth: int
    planar: bool
    order: tuple[int, ...]
    chroma_shift_y: int = 0
    chroma_shift_x: int = 0
    has_alpha: bool = False
    sample: Literal["integer", "float"] = "integer"

    @property
    def is_float(self) -> bool:
        """Whether samples are floating-point numbers."""
        return self.sample == "float"


@dataclass(frozen=True, slots=True)
class Colour:
    """What the samples mean: matrix, range, primaries and transfer as FFmpeg's numbers.

    ``matrix`` is never unset here (guessed as players do when the file does not say); the
    numbers written to the output are the file's own, in ``tags``.
    """

    matrix: Literal["bt601", "bt709", "bt2020", "smpte240m", "fcc", "rgb"]
    full_range: bool
    tags: tuple[int, int, int, int] = (2, 0, 2, 2)
    """FFmpeg's colorspace, color_range, color_primaries and color_trc numbers, as found."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a player turns the coded picture: mirrored first if ``hflip``, then turned clockwise."""

    clockwise: Literal[0, 90, 180, 270] = 0
    hflip: bool = False


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream beside the main picture."""

    index: int
    kind: str
    codec: str
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file says about its main picture stream and the others; pure facts."""

    path: Path
    container: str
    """FFmpeg's demuxer name, as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    stream_index: int
    codec: str
    profile: str | None
    layout: PixelLayout
    size: Size
    """Coded size."""
    sample_aspect: Fraction
    orientation: Orientation
    colour: Colour
    time_base: Fraction
    rate: Fraction
    """Average frame rate, for display and encoders only; times come from the frames."""
    num_frames_hint: int
    """Frames as the container claims, 0 if it does not."""
    duration_s: float | None
    interlaced: bool = False
    top_field_first: bool = False
    alpha_in_side_stream: bool = False
    hdr: dict[str, Any] = field(default_factory=dict)
    """HDR10 mastering display and content light level, in the encoders' own notation."""
    timecode: str | None = None
    others: tuple[StreamInfo, ...] = ()
    num_chapters: int = 0
    warnings: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = field(default=(), repr=False)
    """The files of an image sequence in order; empty for a video file."""

    @property
    def head(self) -> Path:
        """The file that says which streams there are: a sequence's first picture, else itself."""
        return self.pictures[0] if self.pictures else self.path


class Pictures(Protocol):
    """Pictures of a video by frame index, decoded when asked for."""

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        ...

    @property
    def size(self) -> Size:
        """Coded size of every picture."""
        ...

    def read(self, start: int, stop: int) -> Iterator[RGB]:
        """Yield the pictures ``start`` to ``stop`` (half open), in order, each (H, W, 3)."""
        ...


class Shot(NamedTuple):
    """Frames between two cuts, half open."""

    start: int
    stop: int


class Window(NamedTuple):
    """Frames that are filled together, and the frames of the same shot they may look at."""

    start: int
    stop: int
    context_start: int
    context_stop: int
    crop: Rect
    """Where the holes of the window are, with a margin."""
    lead: int = 0
    """Frames right before ``start``, without a hole, that a network is shown."""
    tail: int = 0
    """Frames from ``stop`` on that a network paints with these, for the next window to finish."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything decided before the expensive work begins."""

    num_frames: int
    size: Size
    shots: tuple[Shot, ...]
    windows: tuple[Window, ...]
    hole_frames: int
    """Frames with something to fill."""
    hole_share: float
    """Mean share of the picture that is filled, over the frames with a hole."""
    memory_bytes: int
    """Estimated peak of the process."""
    seconds: float | None
    """Estimated time of the whole run on two cores of a small server, in seconds; None where it
    is not known."""
    painting: PaintPlan | None = None
    """How the network paints; None where no network does."""


@dataclass(frozen=True, slots=True)
class Patch:
    """The fill of one frame's hole, in a crop of the picture.

    Shapes are those of ``rect``. ``rgb`` is float32 in levels of the pictures given (0 to 255,
    or 0 to 65535) and only meaningful where ``origin`` is not 0.
    """

    index: int
    rect: Rect
    rgb: npt.NDArray[np.float32] = field(repr=False)
    origin: npt.NDArray[np.uint8] = field(repr=False)
    """UNTOUCHED, COPIED, PAINTED or RELIT for each pixel."""
    confidence: npt.NDArray[np.float32] = field(repr=False)
    """0 to 1 for copied pixels; 0 elsewhere."""


UNTOUCHED, COPIED, PAINTED, RELIT = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Filled:
    """A frame's finished hole: samples in the source's own pixel format.

    ``rect`` covers whole blocks of subsampled planes, or ends with the picture.
    """

    index: int
    rect: Rect
    planes: tuple[npt.NDArray[Any], ...] = field(repr=False)
    """The part of each plane that shows ``rect``, in memory order."""
    origin: npt.NDArray[np.uint8] = field(repr=False)
    """UNTOUCHED, COPIED, PAINTED or RELIT for each pixel of ``rect``."""
    confidence: float
    """Sum over the copied pixels, each 0 to 1."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A picture that the user vouches for: a frame of the video without the object."""

    index: int
    """The frame that it shows."""
    rgb: RGB = field(repr=False)
    """(H, W, 3) of the coded size, as deep as the video's pictures."""
    known: Mask = field(repr=False)
    """(H, W): where it says something."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a part of a run takes."""

    seconds: float | None = 0.0
    """On two cores of a small server; None where that is not known."""
    memory_bytes: int = 0
    """At its peak, beside the process as it is without it."""
    kept_bytes: int = 0
    """What of it is still held when this part is over."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """How the masks came to be."""

    tracker: str
    """``builtin``, ``none`` (boxes), ``mask`` (the user's), ``sam2:SIZE``; several are joined by
    commas."""
    unsure: tuple[Shot, ...]
    """Ranges of frames where the mask may be wrong."""
    lost: tuple[Shot, ...]
    """Ranges of frames where the object was not found though it was expected."""
    confidence: npt.NDArray[np.float32] = field(repr=False)
    """0 to 1 for each frame."""
    notes: tuple[str, ...] = ()
    trackers: Mapping[int, str] = field(default_factory=dict)
    """What followed each object, where that is known apart; spelled as ``tracker``."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of each weight file that was used, by the tracker's name."""
    cost: Cost = Cost()
    """What tracking takes beyond what every frame takes."""
