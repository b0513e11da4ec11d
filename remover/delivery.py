"""Where an output goes: one file, one folder of pictures, or a pipe; and where if nobody says."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from remover import files
from remover.config import CleanOptions
from remover.errors import OutputError, UsageError
from remover.journal import was_published
from remover.progress import Progress
from remover.types import VideoInfo
from remover.video import (
    FrameIndex,
    Pipe,
    Target,
    folder_of,
    has_pictures,
    info_of_part,
    is_pictures_target,
    is_sequence,
    names_of,
    older_pictures,
    ranges,
)
from remover.workplace import folder_for

SIDE_PICTURES = "%05d.png"
"""What pictures in a folder beside the output are called."""


def default_output(source: Path) -> Path:
    """The name of the output beside the input.

    ``<stem>.clean<suffix>`` for a video, ``<folder>.clean`` with the same names for a sequence.
    """
    if not is_sequence(source):
        return source.with_name(f"{source.stem}.clean{source.suffix}")
    folder = source if source.is_dir() else source.parent
    if folder.name in ("", ".."):
        folder = folder.resolve()
    beside = folder.with_name(f"{folder.name}.clean")
    return beside if source.is_dir() else beside / source.name


def settled(
    target: Target, sides: Mapping[str, Path], source: Path, options: CleanOptions
) -> CleanOptions:
    """The options with what an interrupted run leaves open decided.

    A run that is gone on with may have been killed when its output was in place already, and
    then it may be put there again.

    Raises:
        UsageError: A pipe is to be gone on with.
    """
    if not options.resume:
        return options
    if isinstance(target, Pipe):
        raise UsageError(
            "`--resume` cannot go on with what was written to a pipe",
            hint="leave `--resume` out, or name a file with `-o FILE`",
        )
    kinds = [(target, _takes_pictures(target, source, options))]
    kinds += [(path, _is_side_pictures(path)) for path in sides.values()]
    taken = [path for path, many in kinds if (has_pictures(path) if many else path.exists())]
    folder = folder_for(target, options.work)
    if taken and all(was_published(folder, path) for path in taken):
        return replace(options, overwrite=True)
    return options


def reclaim(target: Target, progress: Progress) -> None:
    """Remove what killed runs left beside ``target``, and name what other machines' runs did."""
    if not isinstance(target, Path):
        return
    for path, owner in files.reclaim(target):
        progress.warn(
            f"`{path}` belongs to {owner.said}, which cannot be seen from here; "
            "delete it if that is dead"
        )


def check(target: Target, source: Path, options: CleanOptions) -> None:
    """Refuse a target that cannot or must not be written, before any work.

    Raises:
        OutputError: It exists, is the source, or its folder cannot be written.
    """
    if isinstance(target, Pipe):
        return
    if _takes_pictures(target, source, options):
        files.check_folder(
            folder_of(target), is_taken=has_pictures(target), overwrite=options.overwrite
        )
    else:
        files.check_target(target, source, overwrite=options.overwrite)


def leftovers(target: Target, info: VideoInfo, written: FrameIndex) -> Iterator[str]:
    """Name the pictures of an earlier run that stay among those of this one.

    They are nobody's to delete but the user's, and a player would show them as the end of the
    shot.

    Args:
        target: An output that is an image sequence.
        info: The source.
        written: Its frames.
    """
    if isinstance(target, Pipe):
        return
    older = older_pictures(
        target, names_of(target, info_of_part(info, written), written.num_frames, written.first)
    )
    if older:
        count = "an older picture" if len(older) == 1 else f"{len(older)} older pictures"
        yield (
            f"beside the new ones, `{folder_of(target)}` keeps {count}: {ranges(older)}; "
            "delete what is left of a longer run"
        )


@contextlib.contextmanager
def delivering(
    target: Target, source: Path, options: CleanOptions, progress: Progress
) -> Iterator[Target]:
    """Where to write now what is to be at ``target`` in the end.

    Yields:
        A hidden file or folder that is published when the block ends well, or the pipe itself.

    Raises:
        OutputError: It cannot be published.
    """
    if isinstance(target, Pipe):
        yield target
    elif _takes_pictures(target, source, options):
        reclaim(folder_of(target), progress)
        with files.publishing_into(folder_of(target), overwrite=options.overwrite) as part:
            yield part
    else:
        reclaim(target, progress)
        with files.publishing(target, overwrite=options.overwrite) as part:
            yield part


def side_targets(wanted: Mapping[str, Path]) -> dict[str, Path]:
    """Where the files beside the output go: a folder becomes a pattern of PNG pictures in it."""
    return {
        kind: path / SIDE_PICTURES if path.is_dir() or not path.suffix else path
        for kind, path in wanted.items()
    }


def check_sides(
    sides: Mapping[str, Path], target: Target, source: Path, options: CleanOptions
) -> None:
    """Refuse files beside the output that cannot or must not be written, before any work.

    Raises:
        OutputError: One exists, its folder cannot be written, or two are the same or are the
            input or the output.
    """
    taken = {"the input": source} | ({"the output": target} if isinstance(target, Path) else {})
    for kind, path in sides.items():
        flag = f"`--{kind.replace('_', '-')}`"
        for what, other in taken.items():
            if _is_same(path, other):
                raise OutputError(
                    f"{flag} and {what} are the same: `{path}`", hint="give each a name of its own"
                )
        taken[flag] = path
        if _is_side_pictures(path):
            is_taken = has_pictures(path)
            files.check_folder(folder_of(path), is_taken=is_taken, overwrite=options.overwrite)
        else:
            files.check_target(path, source, overwrite=options.overwrite)


@contextlib.contextmanager
def delivering_all(
    target: Target,
    source: Path,
    sides: Mapping[str, Path],
    options: CleanOptions,
    progress: Progress,
) -> Iterator[tuple[Target, dict[str, Path]]]:
    """Where to write now the output and the files beside it, by kind.

    They are published when the block ends well, the output last; if it cannot be, the others are
    taken away again, and what they replaced comes back.

    Raises:
        OutputError: One cannot be published.
    """
    with contextlib.ExitStack() as stack:
        undo = stack.enter_context(files.undoing())
        part = stack.enter_context(delivering(target, source, options, progress))
        parts = stack.enter_context(delivering_sides(sides, undo, options, progress))
        yield part, parts


@contextlib.contextmanager
def delivering_sides(
    sides: Mapping[str, Path], undo: files.Undo, options: CleanOptions, progress: Progress
) -> Iterator[dict[str, Path]]:
    """Where to write now the files beside the output, by kind, which ``undo`` takes back.

    Raises:
        OutputError: One cannot be published.
    """
    with contextlib.ExitStack() as stack:
        yield {
            kind: stack.enter_context(_delivering_side(path, undo, options, progress))
            for kind, path in sides.items()
        }


@contextlib.contextmanager
def _delivering_side(
    path: Path, undo: files.Undo, options: CleanOptions, progress: Progress
) -> Iterator[Path]:
    """As ``delivering``, of one file or pattern beside the output, which ``undo`` takes back."""
    reclaim(folder_of(path) if _is_side_pictures(path) else path, progress)
    if not _is_side_pictures(path):
        with files.publishing(path, overwrite=options.overwrite, undo=undo) as part:
            yield part
        return
    folder = folder_of(path)
    with files.publishing_into(folder, overwrite=options.overwrite, undo=undo) as part:
        yield part


def _is_side_pictures(path: Path) -> bool:
    return is_pictures_target(path, from_pictures=False)


def _is_same(path: Path, other: Path) -> bool:
    """Whether two outputs, or an output and the input, would be the same file or pictures."""
    if _is_side_pictures(path):
        folder = folder_of(other) if is_sequence(other) or _is_pattern(other) else other
        is_shared = folder_of(path).absolute() == folder.absolute() or _are_one(
            folder_of(path), folder
        )
        return is_shared and (not _is_pattern(other) or path.name == other.name)
    return path.absolute() == other.absolute() or _are_one(path, other)


def _is_pattern(path: Path) -> bool:
    return folder_of(path) != path


def _are_one(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def say_format(target: Target, container: str, progress: Progress) -> None:
    """Tell what a pipe is given, since no suffix does."""
    if isinstance(target, Pipe):
        progress.note(f"the output is written to the pipe as {container}")


def _takes_pictures(target: Path, source: Path, options: CleanOptions) -> bool:
    return options.format is None and is_pictures_target(target, from_pictures=is_sequence(source))
