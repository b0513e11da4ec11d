"""The options with defaults and ranges; their docstrings become help text and documentation."""

import ast
import inspect
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

from remover.errors import UsageError, nearest
from remover.prompts import MAX_OBJECT_ID, parse_moment
from remover.types import Moment

CHOICES: Mapping[str, tuple[str, ...]] = {
    "tracker": (
        "auto",
        "builtin",
        "none",
        "sam2:auto",
        "sam2:tiny",
        "sam2:small",
        "sam2:base-plus",
        "sam2:large",
    ),
    "painter": ("auto", "classic"),
    "format": ("matroska", "mp4", "nut", "y4m", "mpegts"),
    "progress": ("auto", "rich", "plain", "json", "none"),
    "color": ("auto", "always", "never"),
}
RANGES: Mapping[str, tuple[int, int]] = {
    "dilate": (0, 500),
    "feather": (0, 100),
    "handles": (0, 100_000),
    "seed": (0, 2**32 - 1),
    "crf": (0, 63),
    "verbose": (0, 2),
}
PATTERNS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "device": (
        re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?|mps"),
        "`auto`, `cpu`, `cuda`, `cuda:N` or `mps`",
    ),
    "codec": (re.compile(r"[a-z0-9][a-z0-9_.-]*"), "a codec's name in small letters"),
    "sam2_weights": (re.compile(r".+", re.DOTALL), "the path of a file"),
    "work": (re.compile(r".+", re.DOTALL), "the path of a folder"),
}
MAX_RATE = 1000
RIVALS: Mapping[str, str] = {
    "crf": "lossless",
    "lossless": "crf",
    "quiet": "verbose",
    "verbose": "quiet",
}
"""Options that exclude each other; where both are configured, the nearer source wins."""

_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True}
_BOOLEANS |= {"0": False, "false": False, "no": False, "off": False}
_TYPES = {"bool": bool, "int": int, "str": str, "moment": Moment, "rate": Fraction}
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}|/[0-9]{1,9})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


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
    painter: str = "auto"
    """What fills the pixels that no frame shows: `auto` takes the best that is installed,
    `classic` needs no weights."""
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


class Option(NamedTuple):
    """An option as parsers and documentation need it."""

    name: str
    kind: str
    """``bool``, ``int``, ``str``, ``moment`` or ``rate``."""
    default: Any
    optional: bool
    """Whether None is a value."""
    help: str

    @property
    def key(self) -> str:
        """The key in a TOML file, spelled as the flag is."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The flag."""
        return f"--{self.key}"

    @property
    def takes(self) -> str:
        """What values it takes, to end the sentence "takes ..."."""
        if self.name in CHOICES:
            *first, last = (f"`{choice}`" for choice in CHOICES[self.name])
            return f"{', '.join(first)} or {last}"
        if self.name in RANGES:
            low, high = RANGES[self.name]
            return f"a whole number of {low} to {high}"
        if self.name in PATTERNS:
            return PATTERNS[self.name][1]
        if self.kind == "rate":
            return "a frame rate (`24`, `23.976` or `24000/1001`)"
        return "`true` or `false`" if self.kind == "bool" else "a frame (`45`) or a time (`1.5s`)"


def options_of(owner: type) -> tuple[Option, ...]:
    """The options that are the fields of ``owner``, in their order."""
    return _tables()[owner.__name__]


@cache
def all_options() -> Mapping[str, Option]:
    """Every option by name: those of the result, then those of the display."""
    return {item.name: item for table in _tables().values() for item in table}


def from_text(option: Option, text: str, subject: str) -> Any:
    """The value of ``option`` written as ``text`` in a flag or a variable.

    Args:
        option: Which option.
        text: What was typed.
        subject: How a message is to name the place, as ``--dilate``, in backticks.

    Raises:
        UsageError: The text is not such a value.
    """
    if option.kind == "bool":
        value: Any = _BOOLEANS.get(text.strip().lower())
        if value is None:
            _refuse(option, text, subject)
    elif option.kind == "int":
        if _WHOLE.fullmatch(text.strip()) is None:
            _refuse(option, text, subject)
        value = int(text)
    elif option.kind == "moment":
        value = parse_moment(text, what=subject)
    elif option.kind == "rate":
        value = _rate(text)
        if value is None:
            _refuse(option, text, subject)
    else:
        value = text
    check(option, value, subject)
    return value


def from_toml(option: Option, value: object, subject: str) -> Any:
    """The value of ``option`` read from a TOML file; a moment may be a frame's number.

    Raises:
        UsageError: The value has the wrong type or is out of its range.
    """
    if option.kind == "moment" and type(value) in (str, int):
        return from_text(option, str(value), subject)
    if option.kind == "rate" and type(value) in (str, int, float):
        return from_text(option, str(value), subject)
    check(option, value, subject)
    return value


def check(option: Option, value: object, subject: str) -> None:
    """Raise unless ``value`` is one that ``option`` takes.

    Raises:
        UsageError: Wrong type, or out of range; it names ``subject`` and the value.
    """
    if value is None and option.optional:
        return
    if type(value) is not _TYPES[option.kind]:
        _refuse(option, value, subject)
    low, high = RANGES.get(option.name, (None, None))
    if isinstance(value, int) and low is not None and high is not None and not low <= value <= high:
        _refuse(option, value, subject)
    if isinstance(value, str):
        pattern = PATTERNS.get(option.name)
        if pattern is not None and pattern[0].fullmatch(value) is None:
            _refuse(option, value, subject)
        if option.name in CHOICES and value not in CHOICES[option.name]:
            _refuse(option, value, subject)


def _rate(text: str) -> Fraction | None:
    """A frame rate above 0 and at most 1000; decimals near an NTSC rate mean that rate."""
    if _RATE.fullmatch(text.strip()) is None:
        return None
    try:
        value = Fraction(text.strip())
    except ZeroDivisionError:
        return None
    if value.denominator != 1 and "." in text:
        broadcast = Fraction(math.ceil(value) * 1000, 1001)
        value = broadcast if abs(broadcast - value) < Fraction(1, 200) else value
    return value if 0 < value <= MAX_RATE else None


def _refuse(option: Option, value: object, subject: str) -> NoReturn:
    near = nearest(str(value), CHOICES.get(option.name, ()))
    shown = str(value).lower() if isinstance(value, bool) else value
    raise UsageError(
        f"{subject} takes {option.takes}, not `{shown}`",
        hint=f"did you mean `{near}`?" if near else f"`{option.flag}`: {option.help}",
    )


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
