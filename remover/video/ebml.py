"""The sample aspect ratio in the header of a Matroska or WebM file.

The media library's interface gives no way to set it, so room is left in the track's name and the
track is written again, in the same number of bytes, once the file is finished.

::

    Segment
    └── Tracks
        ├── CRC-32
        └── TrackEntry
            ├── Name          the title and ROOM     ->  the title
            ├── Video
            │   └── PixelWidth ...                   ->  and DisplayWidth, DisplayHeight
            └──                                      ->  Void, as long as what is left over
"""

import zlib
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

EBML, SEGMENT, TRACKS, TRACK = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE
CRC, VOID, NAME, VIDEO = 0xBF, 0xEC, 0x536E, 0xE0
PIXEL_WIDTH, PIXEL_HEIGHT = 0xB0, 0xBA
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
UNIT_RATIO = 3

ROOM = "\u2007" + " " * 38 + "\u2007"
"""Appended to the track's name; figure spaces, so that nobody's own title ends like it."""


class Element(NamedTuple):
    """An element of a master that was read."""

    name: int
    content: bytes
    width: int = 1
    """Bytes of its size field at least; writers often take more than are needed."""

    def encoded(self) -> bytes:
        """Its bytes in a file."""
        size = len(self.content)
        width = next(w for w in range(self.width, 9) if size < (1 << (7 * w)) - 1)
        head = self.name.to_bytes((self.name.bit_length() + 7) // 8, "big")
        return head + (size | 1 << (7 * width)).to_bytes(width, "big") + self.content


def set_aspect(path: Path, aspect: Fraction) -> None:
    """Make ``aspect`` the sample aspect ratio of the track whose name ends in ``ROOM``.

    Raises:
        ValueError: There is no such track.
        OSError: The file cannot be changed.
    """
    with path.open("r+b") as file:
        start, content = _find_tracks(file)
        tracks = _parse(content)
        for place, track in enumerate(tracks):
            if track.name == TRACK and _is_marked(track):
                tracks[place] = track._replace(content=_with_aspect(track.content, aspect))
                break
        else:
            raise ValueError("no track with room in its header")
        body = b"".join(t.encoded() for t in tracks if t.name != CRC)
        if tracks[0].name == CRC:
            check = zlib.crc32(body).to_bytes(4, "little")
            body = tracks[0]._replace(content=check).encoded() + body
        if len(body) != len(content):
            raise ValueError("the track header does not fit in its place")
        file.seek(start)
        file.write(body)


def _find_tracks(file: BinaryIO) -> tuple[int, bytes]:
    """Where the content of the Tracks element starts, and that content."""
    while True:
        name, size = _number(file, keep_marker=True), _number(file, keep_marker=False)
        if name == TRACKS:
            start = file.tell()
            return start, file.read(size)
        if name != SEGMENT:
            file.seek(size, 1)


def _number(file: BinaryIO, *, keep_marker: bool) -> int:
    first = file.read(1)
    if not first or not first[0]:
        raise ValueError("no track header in the file")
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big")
    return value if keep_marker else value & ~(1 << (7 * width))


def _parse(content: bytes) -> list[Element]:
    """The elements of a master."""
    found, at = [], 0
    while at < len(content):
        width = 9 - content[at].bit_length()
        name = int.from_bytes(content[at : at + width], "big")
        at += width
        width = 9 - content[at].bit_length()
        size = int.from_bytes(content[at : at + width], "big") & ~(1 << (7 * width))
        at += width
        found.append(Element(name, content[at : at + size], width))
        at += size
    return found


def _is_marked(track: Element) -> bool:
    return any(
        e.name == NAME and e.content.decode(errors="replace").endswith(ROOM)
        for e in _parse(track.content)
    )


def _with_aspect(content: bytes, aspect: Fraction) -> bytes:
    """A TrackEntry with the aspect ratio in place of the room, as long as before."""
    elements = []
    for element in _parse(content):
        if element.name == NAME:
            title = element.content.decode(errors="replace").removesuffix(ROOM)
            if title:
                elements.append(element._replace(content=title.encode()))
        elif element.name == VIDEO:
            elements.append(element._replace(content=_shown(element.content, aspect)))
        elif element.name != VOID:
            elements.append(element)
    body = b"".join(element.encoded() for element in elements)
    return body + _void(len(content) - len(body))


def _void(length: int) -> bytes:
    """An element of ``length`` bytes that means nothing."""
    for width in range(1, 9):
        size = length - 1 - width
        if 0 <= size < (1 << (7 * width)) - 1:
            return b"\xec" + (size | 1 << (7 * width)).to_bytes(width, "big") + bytes(size)
    raise ValueError("the track header has no room")


def _shown(video: bytes, aspect: Fraction) -> bytes:
    """A Video element's content with the display size: in pixels if whole, else as a ratio."""
    parts = [
        e for e in _parse(video) if e.name not in (DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT)
    ]
    numbers = {e.name: int.from_bytes(e.content, "big") for e in parts}
    width, height = numbers[PIXEL_WIDTH] * aspect, Fraction(numbers[PIXEL_HEIGHT])
    entries = {}
    if width.denominator != 1:
        shown = width / height
        width, height = Fraction(shown.numerator), Fraction(shown.denominator)
        entries[DISPLAY_UNIT] = UNIT_RATIO
    entries |= {DISPLAY_WIDTH: int(width), DISPLAY_HEIGHT: int(height)}
    parts += [Element(name, _uint(value)) for name, value in entries.items()]
    return b"".join(part.encoded() for part in parts)


def _uint(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
