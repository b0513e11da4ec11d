"""What the media library does not say of an OpenEXR file, read from and put into its header.

::

    magic, version and flags
    attribute: name 0, kind 0, length, value      channels, windows, compression, the user's own
    ...
    0
    offset of each block from the start of the file
    blocks of samples

The decoder gives the channels R, G, B and A (or Y) of the first part in the display window. What
it would leave out is found here: refused, or named where the picture is whole without it. The
encoder writes a header of its own; the attributes of the source's picture go into it again.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from remover.errors import InputError

MAGIC = 20000630
TILED, LONG_NAMES, DEEP, PARTS = 0x200, 0x400, 0x800, 0x1000
"""Flags beside the version: blocks of tiles, names of over 31 letters, depths, several parts."""

HEAD = 1 << 16
"""Bytes that hold most headers."""

STRUCTURE = frozenset(
    {
        *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "tiles"),
        *("type", "chunkCount", "version", "maxSamplesPerPixel"),
    }
)
"""Attributes that say how the samples lie in the file: always the encoder's own."""

COMPRESSIONS = ("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
"""Names by the number in the file."""

ROWS = {
    "ZIPS": 1,
    "ZIP": 16,
    "PXR24": 16,
    "DWAB": 256,
    **dict.fromkeys(("PIZ", "B44", "B44A", "DWAA"), 32),
}
"""Rows of a block by compression; 1 of the others."""

SAMPLES = ("integer", "half", "float")
"""Kinds of samples by the number in the file."""

CONFUSING = frozenset({"y", "ry", "by"})
"""Extra channels, in small letters, that the decoder would take for a part of the picture."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; all of them inside."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the file."""

    name: str
    kind: str
    step: tuple[int, int]
    """Pixels to a sample, across and down."""


@dataclass(frozen=True, slots=True)
class Header:
    """The attributes of a file, or of its first part."""

    flags: int
    attributes: dict[str, tuple[str, bytes]]
    """Kind and value by name."""
    length: int
    """Bytes from the start of the file to the end of the header."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels in the order of the file."""
        value, found, at = self.attributes["channels"][1], [], 0
        while value[at]:
            end = value.index(0, at)
            kind, across, down = struct.unpack_from("<i4xii", value, end + 1)
            name = value[at:end].decode("utf-8", "replace")
            found.append(Channel(name, SAMPLES[kind], (across, down)))
            at = end + 17
        return tuple(found)

    @property
    def compression(self) -> str:
        """The name of the compression."""
        number = self.attributes["compression"][1][0]
        return COMPRESSIONS[number] if number < len(COMPRESSIONS) else str(number)

    @property
    def sample_aspect(self) -> Fraction:
        """Width of a pixel by its height."""
        _, value = self.attributes.get("pixelAspectRatio", ("float", b""))
        ratio = struct.unpack("<f", value)[0] if len(value) == 4 else 1.0
        return Fraction(ratio).limit_denominator(1000) if 0.01 <= ratio <= 100 else Fraction(1)

    def box(self, name: str) -> Box:
        """The window called ``name``."""
        left, top, right, bottom = struct.unpack("<4i", self.attributes[name][1])
        return left, top, right, bottom


def parse(content: bytes) -> Header:
    """The header at the start of ``content``.

    Raises:
        ValueError: It is none, or not all of it.
    """
    if len(content) < 8 or struct.unpack_from("<I", content)[0] != MAGIC:
        raise ValueError("no OpenEXR file")
    attributes, at = {}, 8
    while content[at : at + 1] not in (b"", b"\0"):
        middle = content.index(0, at)
        end = content.index(0, middle + 1)
        length = int.from_bytes(content[end + 1 : end + 5], "little", signed=True)
        name, kind = content[at:middle].decode("latin-1"), content[middle + 1 : end].decode("ascii")
        at = end + 5 + length
        if length < 0 or at >= len(content):
            raise ValueError("the header is cut off")
        attributes[name] = (kind, content[at - length : at])
    if at >= len(content) or not {"channels", "compression"} <= set(attributes):
        raise ValueError("the header is cut off")
    return Header(int.from_bytes(content[4:8], "little"), attributes, at + 1)


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises:
        InputError: It cannot be read as OpenEXR.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            try:
                return parse(head)
            except ValueError:
                return parse(head + file.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it has no whole OpenEXR header"
        raise InputError(
            f"`{path}` cannot be read as a picture: {reason}",
            hint="the file is missing, damaged or of another kind than its name says",
        ) from error


def look_through(pictures: Sequence[Path]) -> tuple[Header, tuple[str, ...]]:
    """Check every file of a sequence; the first header, and what is not in the decoded pictures.

    Raises:
        InputError: A file cannot be read, or something of it would be lost or read wrong.
    """
    headers = [read_header(path) for path in pictures]
    extra: set[str] = set()
    for path, header in zip(pictures, headers, strict=True):
        try:
            extra |= _check_channels(path, header)
            _check_windows(path, header)
            _num_blocks(header)
        except (struct.error, ArithmeticError, LookupError, ValueError) as error:
            raise InputError(
                f"`{path}` has a damaged header", hint="the file is damaged; make it again"
            ) from error
    notes = []
    if extra:
        shown = ", ".join(f"`{name}`" for name in sorted(extra))
        notes.append(f"only the main picture is read; the other channels are left out: {shown}")
    small = sum(h.box("dataWindow") != h.box("displayWindow") for h in headers)
    if small:
        notes.append(
            f"the data window is smaller than the display window in {small} of {len(headers)} "
            "pictures; the rest is read, and written, as 0"
        )
    return headers[0], tuple(notes)


def _check_channels(path: Path, header: Header) -> set[str]:
    """The names of channels beside the picture's own."""
    if header.flags & (DEEP | PARTS):
        what = "several parts" if header.flags & PARTS else "samples in depth"
        raise InputError(
            f"`{path}` has {what}, of which only one picture could be kept",
            hint="write the picture as an OpenEXR file of one flat part first",
        )
    channels = {channel.name: channel for channel in header.channels}
    main = [name for name in "RGBA" if name in channels]
    if main[:3] != ["R", "G", "B"]:
        main = ["Y"]
    extra = set(channels) - set(main)
    # Of one letter each: names that the decoder knows, in either case.
    misread = {n for n in extra if n.lower() in CONFUSING or (main == ["Y"] and len(n) == 1)}
    kinds = {channels[name].kind for name in main if name in channels}
    steps = {channels[name].step for name in main if name in channels}
    if not set(main) <= set(channels) or misread or kinds - {"half", "float"} or len(kinds) > 1:
        shown = ", ".join(f"`{channel.name}` ({channel.kind})" for channel in header.channels)
        raise InputError(
            f"`{path}` has the channels {shown}, which do not make a picture that is read",
            hint="write R, G, B and A if there is one, or Y, all as half or all as float",
        )
    if steps != {(1, 1)}:
        raise InputError(
            f"`{path}` has channels of less resolution than the picture",
            hint="write all channels with a sample for every pixel",
        )
    return extra


def _check_windows(path: Path, header: Header) -> None:
    data, display = header.box("dataWindow"), header.box("displayWindow")
    is_inside = data[0] >= display[0] and data[1] >= display[1]
    is_inside = is_inside and data[2] <= display[2] and data[3] <= display[3]
    if not is_inside:
        raise InputError(
            f"`{path}` has pixels outside its display window: data `{_text(data)}`, display "
            f"`{_text(display)}`",
            hint="crop it to the display window, or make the display window as large as the data",
        )
    if display[:2] != (0, 0):
        raise InputError(
            f"`{path}` has a display window that does not begin at 0,0: `{_text(display)}`",
            hint="move the picture to 0,0 first",
        )


def _text(box: Box) -> str:
    return f"{box[0]},{box[1]} to {box[2]},{box[3]}"


def with_attributes(content: bytes, source: Header) -> bytes:
    """A written file with the attributes of ``source`` that are not about how samples lie.

    A preview is left out: it shows the picture as it was.
    """
    own = parse(content)
    kept = {
        name: entry
        for name, entry in source.attributes.items()
        if name not in STRUCTURE and entry[0] != "preview"
    }
    body = b"".join(
        b"%b\0%b\0%b%b" % (name.encode("latin-1"), kind.encode(), struct.pack("<i", len(v)), v)
        for name, (kind, v) in (own.attributes | kept).items()
    )
    flags = own.flags | source.flags & LONG_NAMES
    head = struct.pack("<II", MAGIC, flags) + body + b"\0"
    first = int.from_bytes(content[own.length : own.length + 8], "little")
    offsets = np.frombuffer(content[own.length : first], "<u8") + np.uint64(len(head))
    return head + (offsets - np.uint64(own.length)).tobytes() + content[first:]


def check_blocks(path: Path) -> None:
    """Refuse a file from which samples are missing: the decoder leaves them out without a word.

    Raises:
        InputError: A block is not there, or what ZIP packed cannot be unpacked.
    """
    header, content = read_header(path), path.read_bytes()
    count, head = _num_blocks(header)
    table = content[header.length : header.length + 8 * count]
    for number in range(count):
        offset = int.from_bytes(table[8 * number : 8 * number + 8], "little")
        start = offset + head
        size = int.from_bytes(content[start - 4 : start], "little", signed=True)
        is_there = offset > header.length and 0 < size <= len(content) - start
        if not is_there or not _unpacks(header, number, content[start : start + size]):
            raise InputError(
                f"`{path}` is damaged or cut off: block {number + 1} of {count} cannot be read",
                hint="make the picture again",
            )


def _num_blocks(header: Header) -> tuple[int, int]:
    """How many blocks of full resolution a file has, and how many bytes stand before each."""
    left, top, right, bottom = header.box("dataWindow")
    if not header.flags & TILED:
        return -(-(bottom - top + 1) // ROWS.get(header.compression, 1)), 8
    across, down = struct.unpack_from("<II", header.attributes["tiles"][1])
    return -(-(right - left + 1) // across) * -(-(bottom - top + 1) // down), 20


def _unpacks(header: Header, number: int, block: bytes) -> bool:
    """Whether a block of rows that ZIP made smaller can be unpacked; others are not looked into."""
    if header.compression not in ("ZIP", "ZIPS") or header.flags & TILED:
        return True
    left, top, right, bottom = header.box("dataWindow")
    rows = min(ROWS[header.compression], bottom - top + 1 - number * ROWS[header.compression])
    widths = {"half": 2, "float": 4, "integer": 4}
    bytes_of_row = sum(widths[c.kind] * ((right - left) // c.step[0] + 1) for c in header.channels)
    if len(block) >= rows * bytes_of_row:
        return True
    try:
        zlib.decompress(block)
    except zlib.error:
        return False
    return True
