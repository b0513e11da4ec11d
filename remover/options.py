"""The options with defaults and ranges; their docstrings become help text and documentation."""

import ast
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from itertools import pairwise

from remover.choices import Option, check
from remover.errors import UsageError
from remover.prompts import MAX_OBJECT_ID
from remover.types import Moment

RIVALS: Mapping[str, str] = {
    "crf": "lossless",
    "lossless": "crf",
    "quiet": "verbose",
    "verbose": "quiet",
}
"""Options that exclude each other; where both are configured, the nearer source wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOptions:
    """What one object has of its own, in place of the options of the whole run."""

    number: int
    """Which object, 1 to 255."""
    tracker: str | None = None
    painter: str | None = None

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            UsageError: A value is out of its range.
        """
        if not isinstance(self.number, int) or not 1 <= self.number <= MAX_OBJECT_ID:
            raise UsageError(
                f"`{self.number}` is not an object number of 1 to {MAX_OBJECT_ID}",
                hint="the table of `#2` is `[object.2]`",
            )
        for key in OBJECT_KEYS:
            if getattr(self, key) is not None:
                subject = f"`{key}` of object `#{self.number}`"
                check(all_options()[key], getattr(self, key), subject)


OBJECT_KEYS = ("tracker", "painter")
"""What can be set for an object of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanOptions:
    """What decides the result.

    Each field but ``objects`` is a flag, a variable and a key of the files; ``objects`` are the
    tables ``[object.ID]`` of the files.
    """

    fps: Fraction | None = None
    """Pictures a second of an image sequence, 24 unless you say otherwise."""
    invert_mask: bool = False
    """Remove what is outside the masks given with `--mask`."""
    tracker: str = "auto"
    """How prompts become one mask a frame: `builtin` follows the object without weights, `none`
    fills the boxes, interpolated between frames, `sam2:tiny`, `sam2:small`, `sam2:base-plus` and
    `sam2:large` follow it with SAM 2 and its checkpoint, `sam2:auto` takes the size that suits
    the machine; `auto` is SAM 2 where a checkpoint and a GPU are there, else `builtin`."""
    sam2_weights: str | None = None
    """The checkpoint file for SAM 2, in place of an installed one."""
    sam2_memory: str = "recent"
    """What SAM 2 remembers: `recent` is the latest frames, as published with it; `gated` is the
    latest good ones, and frames on which something like the object was near. A trial."""
    sam2_motion: bool = False
    """Let the way that the object went weigh the candidates for SAM 2's mask. A trial."""
    sam2_refine: bool = False
    """Show SAM 2 each box once more, with the mask that it gave. A trial."""
    copy: str = "on"
    """Whether true pixels of other frames are copied first; `off` paints the whole hole."""
    painter: str = "auto"
    """What fills the pixels that no frame shows: `classic` needs no weights, `minimax` is
    MiniMax-Remover, `small` is your own checkpoint of its architecture; `auto` is `minimax` where
    its weights and a GPU are there, `small` where `--weights` is given, else `classic`."""
    weights: str | None = None
    """Folder with a checkpoint for the painter: `transformer/`, `vae/` and `scheduler/`; left out,
    `minimax` takes the installed one."""
    grain: str = "auto"
    """Whether the source's grain is put back where painting and averaging took it out."""
    steps: int | None = None
    """Steps of the network from noise to picture; left out, 6."""
    guidance: float | None = None
    """For weights of the first training stage alone: how far to go away from making an object;
    left out, 3."""
    joins: str = "hand-over"
    """How windows of the network meet: `hand-over` begins with finished frames, as in training;
    `blend` and `shift` are trials that mix or move windows at every step."""
    dtype: str = "auto"
    """What networks compute in; `auto` is the 16 bits of the weights on a GPU, else `fp32`."""
    start: Moment | None = None
    """First frame or time to clean; the part before it passes through."""
    end: Moment | None = None
    """Frame or time to stop before; the part from there on passes through."""
    trim: bool = False
    """Write only the part from `--start` to `--end`, its first frame at time 0."""
    handles: int = 0
    """Frames of the source that `--trim` leaves on each side of the part, uncleaned."""
    dilate: int | None = None
    """Pixels by which masks are widened; left out, 2 for masks that you give and 6 for tracked
    ones; 0 is no growth of any kind."""
    strict: bool = False
    """Stop with an error where a mask may be wrong or an object was not found."""
    feather: int = 2
    """Pixels outside the widened mask over which the fill blends into the picture."""
    shadows: str = "auto"
    """What becomes of the object's shadow: `remove` lights it up where it is found, `keep` leaves
    it; `auto` keeps it beside masks that you give, else removes it where it is sure."""
    seed: int = 0
    """Seed of every random choice; the same seed gives the same bytes."""
    device: str = "auto"
    """Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""
    codec: str | None = None
    """Codec of the output, as `h264`, `hevc`, `av1`, `vp9`, `prores`, `ffv1`; left out, it is
    the source's own."""
    crf: int | None = None
    """Quality of the output in the encoder's scale, lower is better; left out, it is visually
    lossless."""
    lossless: bool = False
    """Write the codec's lossless mode: what was not touched is identical in the file."""
    format: str | None = None
    """Container of the output; left out, the suffix says, and a pipe gets `matroska`."""
    overwrite: bool = False
    """Replace the output if it exists, and begin anew where a run was interrupted."""
    resume: bool = False
    """Go on where an interrupted run with the same input and options ended; begin if there was
    none."""
    work: str | None = None
    """Folder for what a run needs to be gone on with; left out, a hidden one beside the output.
    It is emptied when the output is there."""
    objects: tuple[ObjectOptions, ...] = ()

    def tracker_of(self, object_id: int) -> str:
        """The tracker of an object: its own, else the run's."""
        own = (one.tracker for one in self.objects if one.number == object_id)
        return next(own, None) or self.tracker

    def __post_init__(self) -> None:
        """Check every value and the combinations.

        Raises:
            UsageError: A value is out of its range, or two exclude each other.
        """
        _check_fields(self)
        self._check_painters()
        if self.lossless and self.crf is not None:
            raise UsageError(
                f"`--lossless` and `--crf {self.crf}` exclude each other",
                hint="leave one of them out",
            )
        if self.handles and not self.trim:
            raise UsageError(
                f"`--handles {self.handles}` is for a part that is written alone",
                hint="add `--trim`, or leave `--handles` out",
            )
        if self.trim and self.start is None and self.end is None:
            raise UsageError(
                "`--trim` has no part to write",
                hint="name it with `--start` and `--end`, or leave `--trim` out",
            )
        for unit in ("frame", "seconds"):
            start, end = getattr(self.start, unit, None), getattr(self.end, unit, None)
            if start is not None and end is not None and end <= start:
                raise UsageError(
                    f"`--end {self.end}` is not after `--start {self.start}`",
                    hint="`--end` is the first frame or time that is not cleaned",
                )

    def _check_painters(self) -> None:
        """Check that a checkpoint is given where one must be, and nowhere else.

        Raises:
            UsageError: It is not so.
        """
        painters = {self.painter, *(one.painter for one in self.objects)}
        if "small" in painters and self.weights is None:
            raise UsageError(
                "`--painter small` needs a checkpoint",
                hint="name its folder with `--weights DIR`",
            )
        if self.weights is not None and painters <= {"classic", None}:
            raise UsageError(
                f"`--weights {self.weights}` is of no use to `--painter classic`",
                hint="leave one of them out",
            )

    def painter_of(self, object_id: int) -> str:
        """The painter of an object: its own, else the run's."""
        own = (one.painter for one in self.objects if one.number == object_id)
        return next(own, None) or self.painter


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayOptions:
    """What a run says and how; nothing here changes the result."""

    quiet: bool = False
    """Say nothing but warnings and errors."""
    verbose: int = 0
    """Say more: once for the settings and where they come from, twice for the libraries' logs
    too."""
    progress: str = "auto"
    """How to report progress on stderr; `auto` is `rich` on a terminal, else `plain`."""
    color: str = "auto"
    """When to colour; `auto` asks the terminal, `NO_COLOR`, `FORCE_COLOR` and `TERM`."""
    json: bool = False
    """Print one JSON object with the result on stdout at the end."""

    def __post_init__(self) -> None:
        """Check every value and the combinations.

        Raises:
            UsageError: A value is out of its range, or two exclude each other.
        """
        _check_fields(self)
        if self.quiet and self.verbose:
            raise UsageError(
                "`--quiet` and `--verbose` exclude each other", hint="leave one of them out"
            )


def options_of(owner: type) -> tuple[Option, ...]:
    """The options that are the fields of ``owner``, in their order."""
    return _tables()[owner.__name__]


@cache
def all_options() -> Mapping[str, Option]:
    """Every option by name: those of the result, then those of the display."""
    return {item.name: item for table in _tables().values() for item in table}


def _check_fields(owner: object) -> None:
    for item in options_of(type(owner)):
        check(item, getattr(owner, item.name), f"`{item.flag}`")


@cache
def _tables() -> dict[str, tuple[Option, ...]]:
    """The options by the name of the class that has them as fields."""
    tree = ast.parse(inspect.getsource(sys.modules[__name__]))
    bodies = {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
    found = {}
    for owner in (CleanOptions, DisplayOptions):
        texts = _field_docstrings(bodies[owner.__name__])
        found[owner.__name__] = tuple(
            _option(item.name, item.type, item.default, texts[item.name])
            for item in fields(owner)
            if item.name in texts
        )
    return found


def _option(name: str, annotation: object, default: object, text: str) -> Option:
    written = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    bare = written.removesuffix(" | None").rpartition(".")[2]
    kind = {"Moment": "moment", "Fraction": "rate"}.get(bare, bare)
    return Option(name, kind, default, "None" in written, text)


def _field_docstrings(body: list[ast.stmt]) -> dict[str, str]:
    """The string under each annotated field of a class, on one line."""
    texts = {}
    for item, below in pairwise(body):
        if (
            isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            texts[item.target.id] = " ".join(str(below.value.value).split())
    return texts
