"""Where an output goes: one file, one folder of pictures, or a pipe; and where if nobody says."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from remover import files
from remover.config import CleanOptions
from remover.types import Progress, VideoInfo
from remover.video import (
    Pipe,
    Target,
    folder_of,
    has_pictures,
    is_pictures_target,
    is_sequence,
    names_of,
    older_pictures,
    ranges,
)


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


def leftovers(target: Target, info: VideoInfo, num_frames: int) -> Iterator[str]:
    """Name the pictures of an earlier run that stay among those of this one.

    They are nobody's to delete but the user's, and a player would show them as the end of the
    shot.

    Args:
        target: An output that is an image sequence.
        info: The source.
        num_frames: How many pictures it has.
    """
    if isinstance(target, Pipe):
        return
    older = older_pictures(target, names_of(target, info, num_frames))
    if older:
        count = "an older picture" if len(older) == 1 else f"{len(older)} older pictures"
        yield (
            f"beside the new ones, `{folder_of(target)}` keeps {count}: {ranges(older)}; "
            "delete what is left of a longer run"
        )


@contextlib.contextmanager
def delivering(target: Target, source: Path, options: CleanOptions) -> Iterator[Target]:
    """Where to write now what is to be at ``target`` in the end.

    Yields:
        A hidden file or folder that is published when the block ends well, or the pipe itself.

    Raises:
        OutputError: It cannot be published.
    """
    if isinstance(target, Pipe):
        yield target
    elif _takes_pictures(target, source, options):
        with files.publishing_into(folder_of(target), overwrite=options.overwrite) as part:
            yield part
    else:
        with files.publishing(target, overwrite=options.overwrite) as part:
            yield part


def say_format(target: Target, container: str, progress: Progress) -> None:
    """Tell what a pipe is given, since no suffix does."""
    if isinstance(target, Pipe):
        progress.note(f"the output is written to the pipe as {container}")


def _takes_pictures(target: Path, source: Path, options: CleanOptions) -> bool:
    return options.format is None and is_pictures_target(target, from_pictures=is_sequence(source))
