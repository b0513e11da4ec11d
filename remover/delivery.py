"""Where an output goes: one file, one folder of pictures, or a pipe; and where if nobody says."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from remover import files
from remover.config import CleanOptions
from remover.errors import UsageError
from remover.journal import was_published
from remover.types import Progress
from remover.video import Pipe, Target, folder_of, has_pictures, is_pictures_target, is_sequence
from remover.workplace import folder_for


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


def settled(target: Target, options: CleanOptions) -> CleanOptions:
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
    if was_published(folder_for(target, options.work), target):
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


def say_format(target: Target, container: str, progress: Progress) -> None:
    """Tell what a pipe is given, since no suffix does."""
    if isinstance(target, Pipe):
        progress.note(f"the output is written to the pipe as {container}")


def _takes_pictures(target: Path, source: Path, options: CleanOptions) -> bool:
    return options.format is None and is_pictures_target(target, from_pictures=is_sequence(source))
