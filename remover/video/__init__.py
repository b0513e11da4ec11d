"""Video files: look at them, decode them exactly, write them again with everything kept.

The only door to the media library. ``look_at`` says what a file or an image sequence is; its
``reader_of`` decodes it, once to learn the times and then any range of frames; ``plan_output``
decides how the output is written, ``writer_of`` writes it with all other streams copied, and
``verify_output`` proves it.
"""

from remover.video.containers import StreamPlan, is_video_name
from remover.video.decode import Reader, RgbPictures
from remover.video.drawn import converted, planes_of_rgb, redrawn, with_alpha
from remover.video.encode import OutputPlan, plan_output
from remover.video.frames import write_frames
from remover.video.gray import GrayWriter, read_gray
from remover.video.layouts import layout_of
from remover.video.look import look_at, reader_of, verify_output, writer_of
from remover.video.mux import Writer
from remover.video.part import info_of_part, plan_of_part
from remover.video.pipe import Pipe, Target
from remover.video.probe import probe, shown_size
from remover.video.stills import (
    folder_of,
    has_pictures,
    is_pictures_target,
    is_sequence,
    names_of,
    natural_key,
    older_pictures,
    ranges,
)
from remover.video.values import Damage, Frame, FrameIndex, FrameSource, Written
from remover.video.verify import Verified, verify

__all__ = [
    "Damage",
    "Frame",
    "FrameIndex",
    "FrameSource",
    "GrayWriter",
    "OutputPlan",
    "Pipe",
    "Reader",
    "RgbPictures",
    "StreamPlan",
    "Target",
    "Verified",
    "Writer",
    "Written",
    "converted",
    "folder_of",
    "has_pictures",
    "info_of_part",
    "is_pictures_target",
    "is_sequence",
    "is_video_name",
    "layout_of",
    "look_at",
    "names_of",
    "natural_key",
    "older_pictures",
    "plan_of_part",
    "plan_output",
    "planes_of_rgb",
    "probe",
    "ranges",
    "read_gray",
    "reader_of",
    "redrawn",
    "shown_size",
    "verify",
    "verify_output",
    "with_alpha",
    "write_frames",
    "writer_of",
]
