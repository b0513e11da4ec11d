"""The Python interface: what the commands do, as functions.

Nothing heavy is imported before a function is called, since the command loads this package to
answer ``--help``.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from remover.progress import Progress
    from remover.report import Report
    from remover.types import Prompt

PathLike: TypeAlias = str | os.PathLike[str]
Given: TypeAlias = str | Sequence[float]
"""A prompt as on the command line (``"10,20,80,60@45#2"``), or its bare numbers."""


def clean(
    source: PathLike,
    output: "PathLike | BinaryIO | None" = None,
    *,
    box: Iterable[Given] = (),
    click: Iterable[Given] = (),
    avoid: Iterable[Given] = (),
    mask: Iterable[PathLike] = (),
    keep: Iterable[PathLike] = (),
    plate: Iterable[PathLike] = (),
    no_source: Iterable[PathLike] = (),
    layer: PathLike | None = None,
    matte: PathLike | None = None,
    compare: PathLike | None = None,
    source_map: PathLike | None = None,
    progress: "Progress | None" = None,
    **options: Any,
) -> "Report":
    """Write ``source`` without what the prompts point at.

    Args:
        source: A video file, or an image sequence: a pattern (``shot/%05d.png``) or a folder.
        output: Where to write: a file, a pattern or folder of pictures, or an open binary stream,
            which gets Matroska unless ``format`` says otherwise; None is beside the input.
        box: Boxes, ``x, y, w, h`` in the picture as a player shows it.
        click: Points on the object, ``x, y``.
        avoid: Points that are not the object.
        mask: Mask images, folders or videos.
        keep: Masks of what is never touched.
        plate: Pictures of a frame without the object, as ``plate.png@45``; trusted above all
            other sources.
        no_source: Masks of what is never copied into the hole.
        layer: Where to write the fill alone with alpha, in the same pass as the output.
        matte: Where to write how much of the fill each pixel took, 0 to 255.
        compare: Where to write source and result side by side.
        source_map: Where to write which pixels are untouched, copied or painted.
        progress: Where to say how far it is; None says nothing.
        **options: Fields of ``remover.config.CleanOptions``, as ``dilate=2, lossless=True``;
            ``start`` and ``end`` as on the command line; ``objects`` by number, as
            ``objects={2: {"tracker": "none"}}``.

    Returns:
        What was done: shares copied and painted, promises checked, warnings.

    Raises:
        RemoverError: Any error that a user can cause; no output is left under its name.
    """
    from remover import pipeline
    from remover.config import quiet_libraries

    quiet_libraries()
    prompts = _prompts(
        box=box, click=click, avoid=avoid, mask=mask, keep=keep, plate=plate, no_source=no_source
    )
    named = {"layer": layer, "matte": matte, "compare": compare, "source_map": source_map}
    sides = {kind: Path(path) for kind, path in named.items() if path is not None}
    return pipeline.clean(
        Path(source), _target(output), prompts, _options(options), progress, sides
    )


def mask(
    source: PathLike,
    output: "PathLike | BinaryIO",
    *,
    box: Iterable[Given] = (),
    click: Iterable[Given] = (),
    avoid: Iterable[Given] = (),
    mask: Iterable[PathLike] = (),
    keep: Iterable[PathLike] = (),
    overlay: PathLike | None = None,
    progress: "Progress | None" = None,
    **options: Any,
) -> "Report":
    """Write only the masks: a folder of PNGs, or a lossless gray video by its suffix.

    Takes what ``clean`` takes, but what only the fill would look at. ``overlay`` is where to write
    the video with the masks drawn over it.
    """
    from remover import pipeline
    from remover.config import quiet_libraries

    quiet_libraries()
    prompts = _prompts(box=box, click=click, avoid=avoid, mask=mask, keep=keep)
    sides = {} if overlay is None else {"overlay": Path(overlay)}
    return pipeline.mask(Path(source), _target(output), prompts, _options(options), progress, sides)


def _target(output: Any) -> Any:
    from remover.video import Pipe

    if output is None or isinstance(output, str | os.PathLike):
        return None if output is None else Path(output)
    return Pipe(output)


def _options(given: dict[str, Any]) -> Any:
    from remover.choices import from_text
    from remover.config import CleanOptions
    from remover.errors import UsageError
    from remover.options import all_options
    from remover.prompts import parse_moment

    known = CleanOptions.__slots__
    for name in given:
        if name not in known:
            raise UsageError(f"unknown option `{name}`", hint=f"options are {', '.join(known)}")
    moments = {k: parse_moment(v) for k in ("start", "end") if isinstance(v := given.get(k), str)}
    if given.get("fps") is not None:
        fps = from_text(all_options()["fps"], str(given["fps"]), "`fps`")
        given = {**given, "fps": fps}
    objects = {"objects": _objects(given["objects"])} if "objects" in given else {}
    return CleanOptions(**{**given, **moments, **objects})


def _objects(given: Any) -> Any:
    """Options by object number as the tuple that ``CleanOptions`` has."""
    from remover.config import ObjectOptions
    from remover.errors import UsageError
    from remover.options import OBJECT_KEYS

    if not isinstance(given, Mapping):
        return given
    for number, own in given.items():
        for key in own:
            if key not in OBJECT_KEYS:
                raise UsageError(
                    f"`{key}` of object `#{number}` cannot be set for one object",
                    hint=f"what can be is {', '.join(OBJECT_KEYS)}",
                )
    return tuple(ObjectOptions(number=number, **own) for number, own in sorted(given.items()))


def _prompts(**given: "Iterable[Given | PathLike]") -> "list[Prompt]":
    """Prompts by kind, in the order given."""
    from remover import prompts as parsers

    parse = {
        "box": parsers.parse_box,
        "click": parsers.parse_click,
        "avoid": parsers.parse_avoid,
        "mask": parsers.parse_mask,
        "keep": parsers.parse_keep,
        "plate": parsers.parse_plate,
        "no_source": parsers.parse_no_source,
    }
    return [parse[kind](_text(one)) for kind, several in given.items() for one in several]


def _text(given: "Given | PathLike") -> str:
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    return ",".join(str(value) for value in given)
