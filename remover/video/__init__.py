"""Video files: look at them, decode them exactly, write them again with everything kept.

The only door to the media library. ``probe`` says what a file is; ``Reader`` decodes it, once to
learn the times and then any range of frames; ``plan_output`` decides how the output is written,
``Writer`` writes it with all other streams copied, and ``verify`` proves it.
"""

from remover.video.containers import StreamPlan, is_video_name
from remover.video.decode import Reader, RgbPictures
from remover.video.encode import OutputPlan, plan_output
from remover.video.gray import GrayWriter, read_gray
from remover.video.layouts import layout_of
from remover.video.mux import Writer
from remover.video.probe import probe, shown_size
from remover.video.values import Damage, Frame, FrameIndex
from remover.video.verify import Verified, verify

__all__ = [
    "Damage",
    "Frame",
    "FrameIndex",
    "GrayWriter",
    "OutputPlan",
    "Reader",
    "RgbPictures",
    "StreamPlan",
    "Verified",
    "Writer",
    "is_video_name",
    "layout_of",
    "plan_output",
    "probe",
    "read_gray",
    "shown_size",
    "verify",
]
