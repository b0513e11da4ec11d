"""Other people's implementations that ours are compared with."""

import importlib
import sys
import warnings
from typing import Any

import pytest


def diffusers_class(name: str) -> Any:
    """A class of diffusers, which is told that there is no torchvision.

    Nothing that is compared uses it, and a build of it that does not fit the one of PyTorch
    cannot be imported. What diffusers warns of on its way in is none of ours.
    """
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(sys.modules, "torchvision", None)
        return getattr(importlib.import_module("diffusers"), name)
