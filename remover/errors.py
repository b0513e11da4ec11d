"""The tree of errors that a user can cause, each with its exit code and a hint.

::

    RemoverError
    ├── UsageError      2   a flag, a value or a combination is wrong
    ├── InputError      3   input missing, unreadable, without video; a mask does not fit
    ├── OutputError     4   output exists, is not writable, disk full
    ├── WeightsError    5   weights missing, wrong hash, wrong keys
    ├── DeviceError     6   device not available, out of memory at the smallest window
    ├── VerifyError     7   the written file failed its check; the target is untouched
    ├── TrainingError   8   loss or gradient not finite, resume state unusable
    └── Interrupted   130   stopped by SIGINT (143 by SIGTERM)
"""

import difflib
from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the command; part of the stable interface."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INPUT = 3
    OUTPUT = 4
    WEIGHTS = 5
    DEVICE = 6
    VERIFY = 7
    TRAINING = 8
    SIGINT = 130
    SIGTERM = 143


class RemoverError(Exception):
    """An error with one sentence for the user, an optional hint, and an exit code.

    Attributes:
        message: One sentence with the values in backticks, without a full stop.
        hint: What to do next, or None.
    """

    code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep ``message`` and ``hint`` as given."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RemoverError):
    """A flag, a value or a combination of them is wrong."""

    code = ExitCode.USAGE


class InputError(RemoverError):
    """The input is missing, unreadable, has no video, or a mask does not fit it."""

    code = ExitCode.INPUT


class OutputError(RemoverError):
    """The output exists, cannot be written, or cannot hold what is asked."""

    code = ExitCode.OUTPUT


class WeightsError(RemoverError):
    """Weights are missing, have a wrong hash or wrong keys."""

    code = ExitCode.WEIGHTS


class DeviceError(RemoverError):
    """A device is not available or its memory is too small."""

    code = ExitCode.DEVICE


class VerifyError(RemoverError):
    """The written file failed its check; the target is untouched."""

    code = ExitCode.VERIFY


class TrainingError(RemoverError):
    """Training cannot go on."""

    code = ExitCode.TRAINING


class Interrupted(RemoverError):  # noqa: N818 - what happened, not an error of anyone's
    """The run was stopped by a signal; ``exit_code`` tells which."""

    code = ExitCode.SIGINT

    def __init__(self, exit_code: ExitCode = ExitCode.SIGINT) -> None:
        """Keep which signal stopped the run as its exit code."""
        super().__init__("stopped")
        self.exit_code = exit_code


def memory_ran_out() -> DeviceError:
    """What is said wherever memory is used up and nothing smaller can be tried."""
    return DeviceError(
        "the memory ran out",
        hint="end other programs, or clean a part at a time with `--start` and `--end`",
    )


def nearest(
    word: str, known: Mapping[str, object] | tuple[str, ...], *, likeness: float = 0.6
) -> str | None:
    """The known word that ``word`` was probably meant to be, if one is like it (0 to 1)."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return close[0] if close else None
