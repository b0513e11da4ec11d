"""Point at something in a video; get the same video without it.

>>> import remover
>>> report = remover.clean("in.mp4", "out.mp4", box=["10,20,80,60"])  # doctest: +SKIP
"""

from remover.api import clean, mask
from remover.errors import (
    DeviceError,
    InputError,
    Interrupted,
    OutputError,
    RemoverError,
    TrainingError,
    UsageError,
    VerifyError,
    WeightsError,
)
from remover.version import __version__

__all__ = [
    "DeviceError",
    "InputError",
    "Interrupted",
    "OutputError",
    "RemoverError",
    "TrainingError",
    "UsageError",
    "VerifyError",
    "WeightsError",
    "__version__",
    "clean",
    "mask",
]
