"""What a user points at on one frame, for whatever follows the object."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from remover.errors import InputError
from remover.types import Mask


@dataclass(frozen=True, slots=True)
class Hints:
    """What was pointed at on one frame for one object, in pixels of the work picture."""

    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """(left, top, right, bottom)."""
    clicks: tuple[tuple[float, float], ...] = ()
    avoids: tuple[tuple[float, float], ...] = ()
    mask: Mask | None = field(default=None, repr=False)
    """The user's own mask (h, w)."""

    def halved(self) -> "Hints":
        """The same in pixels of half the size, without the mask."""
        return Hints(
            tuple((x / 2, y / 2, right / 2, bottom / 2) for x, y, right, bottom in self.boxes),
            tuple((x / 2, y / 2) for x, y in self.clicks),
            tuple((x / 2, y / 2) for x, y in self.avoids),
        )

    @property
    def can_start(self) -> bool:
        """Whether these say enough for a mask where nothing is known yet."""
        return bool(self.boxes or self.clicks) or self.mask is not None

    @property
    def starts_anew(self) -> bool:
        """Whether these replace what was tracked, rather than mend it."""
        return bool(self.boxes) or self.mask is not None


def start_frame(object_id: int, prompts: Mapping[int, Hints]) -> int:
    """The first frame whose hints say enough to start.

    Raises:
        InputError: There is none.
    """
    starts = [frame for frame, hints in prompts.items() if hints.can_start]
    if not starts:
        raise InputError(
            f"object `{object_id}` has only points to avoid on frame `{min(prompts)}`",
            hint="say what to remove as well, with `--box`, `--click` or `--mask`",
        )
    return min(starts)


def nothing_found(object_id: int, frame: int) -> InputError:
    """What to say where a prompt gives an empty mask."""
    return InputError(
        f"nothing was found where object `{object_id}` is pointed at on frame `{frame}`",
        hint="point at it on a frame where it is in clear view, or draw a larger box",
    )
