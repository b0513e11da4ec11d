"""What values options take and how they are written; what is wrong with others, in one sentence."""

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

from remover.errors import UsageError, nearest
from remover.prompts import parse_moment
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
    "sam2_memory": ("recent", "gated"),
    "painter": ("auto", "classic", "minimax", "small"),
    "copy": ("on", "off"),
    "shadows": ("auto", "keep", "remove"),
    "grain": ("auto", "off"),
    "joins": ("hand-over", "blend", "shift"),
    "dtype": ("auto", "fp32", "bf16", "fp16"),
    "format": ("matroska", "mp4", "nut", "y4m", "mpegts"),
    "progress": ("auto", "rich", "plain", "json", "none"),
    "color": ("auto", "always", "never"),
}
RANGES: Mapping[str, tuple[float, float]] = {
    "dilate": (0, 500),
    "feather": (0, 100),
    "handles": (0, 100_000),
    "steps": (1, 1000),
    "guidance": (0, 20),
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
    "weights": (re.compile(r".+", re.DOTALL), "the path of a folder"),
    "work": (re.compile(r".+", re.DOTALL), "the path of a folder"),
}
MAX_RATE = 1000
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True}
_BOOLEANS |= {"0": False, "false": False, "no": False, "off": False}
_TYPES = {"bool": bool, "int": int, "float": float, "str": str, "moment": Moment}
_TYPES |= {"rate": Fraction}
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}|/[0-9]{1,9})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?")


class Option(NamedTuple):
    """An option as parsers and documentation need it."""

    name: str
    kind: str
    """``bool``, ``int``, ``float``, ``str``, ``moment`` or ``rate``."""
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
            return f"a {'whole ' if self.kind == 'int' else ''}number of {low} to {high}"
        if self.name in PATTERNS:
            return PATTERNS[self.name][1]
        if self.kind == "rate":
            return "a frame rate (`24`, `23.976` or `24000/1001`)"
        return "`true` or `false`" if self.kind == "bool" else "a frame (`45`) or a time (`1.5s`)"


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
    elif option.kind == "float":
        if _DECIMAL.fullmatch(text.strip()) is None:
            _refuse(option, text, subject)
        value = float(text)
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
    if option.kind == "float" and type(value) is int:
        value = float(value)
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
    if low is not None and high is not None and not low <= value <= high:  # type: ignore[operator]
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
