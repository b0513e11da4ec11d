"""Masks: from what a user pointed at to one label map a frame."""

from remover.segment.choose import Choice, Sam2, Style, choose, installed
from remover.segment.files import load_masks, read_mask_image, write_mask_folder
from remover.segment.run import segment
from remover.segment.store import MaskStore

__all__ = [
    "Choice",
    "MaskStore",
    "Sam2",
    "Style",
    "choose",
    "installed",
    "load_masks",
    "read_mask_image",
    "segment",
    "write_mask_folder",
]
