"""What a user points with: the text of ``--box``, ``--click``, ``--mask`` and their like.

::

    10,20,80,60@45#2
    ─────┬───── ─┬ ┬
      values     │ └ #ID: which object, 1 to 255, 1 when left out
                 └── @FRAME (45, 45f) or @TIME (1.5s, 00:00:01.500)

Nothing here knows the video: whether a frame exists or a box lies inside the picture is decided
where the video is read.
"""

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Literal

from remover.errors import UsageError
from remover.types import Moment, Prompt

MAX_OBJECT_ID = 255

_NUMBER = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]*)?|\.[0-9]+)")
_FRAME = re.compile(r"([0-9]{1,12})f?")
_SECONDS = re.compile(r"([0-9]{1,12}(\.[0-9]{0,18})?|\.[0-9]{1,18})s")
_CLOCK = re.compile(r"(?:([0-9]{1,6}):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,18})?)")
_SUFFIX = re.compile(r"(?P<body>.*?)(?:@(?P<moment>[^@#/\\]*))?(?:#(?P<id>[^@#/\\]*))?", re.DOTALL)

_MOMENT_HINT = "write a frame as `45` or `45f`, a time as `1.5s` or `00:00:01.500`"
_SHAPES: dict[str, tuple[str, str]] = {
    "box": ("x,y,w,h", "10,20,80,60"),
    "click": ("x,y", "120,80"),
    "avoid": ("x,y", "120,80"),
}
_FILES = {"mask": "logo.png", "plate": "plate.png", "no-source": "actor", "keep": "hand.png"}


def parse_moment(text: str, *, what: str | None = None) -> Moment:
    """A frame index or a time from its text.

    Args:
        text: ``45`` or ``45f`` for frame 45; ``1.5s``, ``01:30`` or ``00:00:01.500`` for a time.
        what: What the text is a part of, for errors, as ```--box 1,2,3,4@x```.

    Raises:
        UsageError: The text is neither, or is negative.
    """
    moment = _frame(text) or _seconds(text) or _clock(text)
    if moment is not None:
        return moment
    subject = f"`{text}`" if what is None else f"`{text}` in {what}"
    if text.startswith("-"):
        raise UsageError(f"{subject} lies before the first frame, which is `0`", hint=_MOMENT_HINT)
    raise UsageError(f"{subject} is neither a frame nor a time", hint=_moment_hint(text))


def parse_box(text: str) -> Prompt:
    """A box ``x,y,w,h`` with an optional ``@`` moment and ``#`` object.

    Raises:
        UsageError: The text is malformed, or the box has no area.
    """
    prompt = _parse_point_like("box", text)
    width, height = prompt.values[2:]
    if width <= 0 or height <= 0:
        raise UsageError(
            f"`--box {text}` has no area: its width is `{width:g}` and its height `{height:g}`",
            hint="a box is `x,y,w,h`: its left and top, then its width and height, in pixels",
        )
    return prompt


def parse_click(text: str) -> Prompt:
    """A point ``x,y`` on the object, with an optional ``@`` moment and ``#`` object.

    Raises:
        UsageError: The text is malformed.
    """
    return _parse_point_like("click", text)


def parse_avoid(text: str) -> Prompt:
    """A point ``x,y`` that is not on the object, with an optional ``@`` moment and ``#`` object.

    Raises:
        UsageError: The text is malformed.
    """
    return _parse_point_like("avoid", text)


def parse_mask(text: str) -> Prompt:
    """The path of a mask with an optional ``@`` moment and ``#`` object.

    A path that exists as it was typed wins over the suffixes, and an ``@`` or ``#`` that cannot
    be one belongs to the path, unless what stands before it exists.

    Raises:
        UsageError: The path is empty, or its suffix is malformed.
    """
    return _parse_file("mask", text)


def parse_plate(text: str) -> Prompt:
    """The path of a clean plate with an optional ``@`` moment, by the rules of ``parse_mask``.

    Raises:
        UsageError: The path is empty, or its suffix is malformed or names an object.
    """
    return _parse_file("plate", text)


def parse_no_source(text: str) -> Prompt:
    """The path of a mask of what is not to be copied, with an optional ``@`` moment.

    Raises:
        UsageError: The path is empty, or its suffix is malformed or names an object.
    """
    return _parse_file("no-source", text)


def parse_keep(text: str) -> Prompt:
    """The path of a mask of what is not to be changed, with an optional ``@`` moment.

    Raises:
        UsageError: The path is empty, or its suffix is malformed or names an object.
    """
    return _parse_file("keep", text)


def _parse_file(kind: Literal["mask", "plate", "no-source", "keep"], text: str) -> Prompt:
    what, example = f"--{kind} {text}", _FILES[kind]
    if not text.strip():
        raise UsageError(f"`--{kind}` got an empty path", hint=f"as `--{kind} {example}`")
    if _exists(text):
        return Prompt(kind, path=Path(text), text=what)
    body, moment, object_id = _split(text)
    if moment is not None and _exists(f"{body}@{moment}"):
        body, moment = f"{body}@{moment}", None
    if not body:
        raise UsageError(
            f"`{what}` names no file",
            hint=f"the path comes first, as `--{kind} {example}@45`",
        )
    if kind != "mask" and object_id is not None and _exists(body):
        raise UsageError(
            f"`#{object_id}` in `{what}` has no meaning: it holds for every object",
            hint=f"leave it out, as `--{kind} {body}`",
        )
    if kind != "mask" and object_id is not None:
        return Prompt(kind, path=Path(text), text=what)
    try:
        return Prompt(
            kind,
            path=Path(body),
            moment=None if moment is None else parse_moment(moment, what=f"`{what}`"),
            object_id=_object_id(object_id, what),
            text=what,
        )
    except UsageError:
        if _exists(body):
            raise
        return Prompt(kind, path=Path(text), text=what)


def _parse_point_like(kind: Literal["box", "click", "avoid"], text: str) -> Prompt:
    what = f"--{kind} {text}"
    shape, example = _SHAPES[kind]
    body, moment, object_id = _split(text)
    parts = [part.strip() for part in body.split(",")]
    if len(parts) != shape.count(",") + 1 or "" in parts:
        given = 0 if parts == [""] else len(parts)
        raise UsageError(
            f"`{what}` needs {shape.count(',') + 1} numbers `{shape}`, not {given}"
            if "" not in parts or parts == [""]
            else f"`{what}` has an empty place between its commas",
            hint=f"as `--{kind} {example}` or `--{kind} {example}@45#2`",
        )
    return Prompt(
        kind,
        values=tuple(_number(part, what, shape) for part in parts),
        moment=None if moment is None else parse_moment(moment, what=f"`{what}`"),
        object_id=_object_id(object_id, what),
        text=what,
    )


def _split(text: str) -> tuple[str, str | None, str | None]:
    """Body, moment and object of ``body@moment#object``; None for what is not there."""
    found = _SUFFIX.fullmatch(text)
    if found is None:  # the body may hold anything, so every text matches
        raise AssertionError(text)
    return found["body"], found["moment"], found["id"]


def _number(text: str, what: str, shape: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if math.isfinite(value):
        return value
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise UsageError(f"`{text}` in `{what}` is not a finite number", hint=f"give `{shape}`")
    raise UsageError(
        f"`{text}` in `{what}` is not a number",
        hint=f"give `{shape}` in pixels of the picture as a player shows it, then `@FRAME`, `#ID`",
    )


def _object_id(text: str | None, what: str) -> int:
    if text is None:
        return 1
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_OBJECT_ID:
        return int(text)
    raise UsageError(
        f"`#{text}` in `{what}` is not an object number of 1 to {MAX_OBJECT_ID}",
        hint="the object comes last, as `--box 10,20,80,60@45#2`",
    )


def _frame(text: str) -> Moment | None:
    found = _FRAME.fullmatch(text)
    return None if found is None else Moment(frame=int(found[1]))


def _seconds(text: str) -> Moment | None:
    found = _SECONDS.fullmatch(text)
    return None if found is None else Moment(seconds=Fraction(_padded(found[1])))


def _clock(text: str) -> Moment | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = int(found[1] or 0), int(found[2]), Fraction(found[3])
    if minutes >= 60 or seconds >= 60:
        return None
    return Moment(seconds=hours * 3600 + minutes * 60 + seconds)


def _padded(number: str) -> str:
    """``.5`` and ``5.`` as ``0.5`` and ``5.0``, which older versions of ``Fraction`` insist on."""
    whole, _, decimals = number.partition(".")
    return f"{whole or '0'}.{decimals or '0'}"


def _moment_hint(text: str) -> str:
    if _NUMBER.fullmatch(text):  # only a decimal number without a unit comes here
        return f"frames are whole numbers; write `{text}s` for a time"
    return _MOMENT_HINT


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # a name too long for the system, or with a null in it
        return False
