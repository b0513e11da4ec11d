"""What went wrong while writing, in words."""

import errno

import av

from remover.errors import OutputError, memory_ran_out

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explained(error: BaseException, path: object, encoder: str, muxer: str) -> BaseException:
    """An ``OutputError`` for what the library or the disk refused; other errors as they are.

    Memory that is used up is a ``DeviceError``.
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return memory_ran_out()
    is_ours = isinstance(error, (av.FFmpegError, OSError, ValueError))
    if not is_ours or isinstance(error, BrokenPipeError):  # nobody reads any more: no fault
        return error
    number = getattr(error, "errno", None)
    if number in FULL_DISK:
        return OutputError(
            f"the disk is full or a limit is reached: `{path}` cannot grow any more",
            hint="free some space, or write to another disk with `-o`",
        )
    if isinstance(error, OSError) and number is not None:
        return OutputError(
            f"`{path}` cannot be written: {error.strerror}",
            hint="check that the folder exists and may be written to",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(
        f"`{encoder}` in {muxer} failed for `{path}`: {reason}",
        hint="try another codec or container: `--codec h264` and a name ending in .mkv",
    )
