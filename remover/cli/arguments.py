"""The flags, written once, shared by the commands that take them.

A flag's value stays the text that was typed, or None: one parser reads flags and variables
alike, and None leaves the choice to the environment, the files and the defaults.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from remover.choices import CHOICES
from remover.options import all_options

INPUT, MASK, QUALITY, OUTPUT, DISPLAY = "Input", "Mask", "Quality", "Output", "Display"

INPUT_HELP = (
    "The video; a pattern (`shot/%05d.png`) or a folder of pictures; or `-` for the standard input."
)

DEVICES = ("auto", "cpu", "cuda", "mps")
CODECS = ("h264", "hevc", "av1", "vp9", "prores", "ffv1", "mpeg4", "gif")


def _completer(words: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def _value(name: str, panel: str, metavar: str, words: tuple[str, ...] = ()) -> Any:
    """A flag with a value."""
    option = all_options()[name]
    return typer.Option(
        option.flag,
        metavar=metavar,
        help=option.help,
        rich_help_panel=panel,
        autocompletion=_completer(words) if words else None,
    )


def _choice(name: str, panel: str) -> Any:
    """A flag that takes one of a few words."""
    return _value(name, panel, "|".join(CHOICES[name]), CHOICES[name])


def _switch(name: str, panel: str, short: str | None = None) -> Any:
    """A flag that is on, or off again where a file or a variable turned it on."""
    option = all_options()[name]
    both = f"{option.flag}/--no-{option.key}"
    declared = [both] if short is None else [both, short]
    return typer.Option(*declared, help=option.help, rich_help_panel=panel)


def _prompt(name: str, metavar: str, text: str, panel: str = MASK) -> Any:
    return typer.Option(f"--{name}", metavar=metavar, help=text, rich_help_panel=panel)


def _side(name: str, text: str) -> Any:
    """A file that is written beside the output."""
    return typer.Option(f"--{name}", metavar="FILE", help=text, rich_help_panel=OUTPUT)


Input = Annotated[
    Path,
    typer.Argument(metavar="INPUT", help=INPUT_HELP, rich_help_panel=INPUT, show_default=False),
]
Fps = Annotated[str | None, _value("fps", INPUT, "RATE")]
Start = Annotated[str | None, _value("start", INPUT, "MOMENT")]
End = Annotated[str | None, _value("end", INPUT, "MOMENT")]

Trim = Annotated[bool | None, _switch("trim", INPUT)]
Handles = Annotated[str | None, _value("handles", INPUT, "FRAMES")]

Boxes = Annotated[
    list[str] | None,
    _prompt(
        "box",
        "X,Y,W,H",
        "A box around the object: left, top, width, height in pixels of the "
        "picture as a player shows it. Add `@FRAME` or `@TIME`, and `#ID` for another object.",
    ),
]
Clicks = Annotated[
    list[str] | None,
    _prompt("click", "X,Y", "A point on the object; `@` and `#` as with `--box`."),
]
Avoids = Annotated[
    list[str] | None,
    _prompt("avoid", "X,Y", "A point that is not the object; `@` and `#` as with `--box`."),
]
Masks = Annotated[
    list[str] | None,
    _prompt(
        "mask",
        "PATH",
        "A mask: one image for all frames, a folder with one image a frame, or "
        "a video. With `@`, an image for that frame, followed from there.",
    ),
]
Keeps = Annotated[
    list[str] | None,
    _prompt(
        "keep",
        "PATH",
        "A mask of what is never touched, as a hand before the object; an image, a folder or "
        "a video as with `--mask`. With `@`, an image for that frame alone.",
    ),
]
Plates = Annotated[
    list[str] | None,
    _prompt(
        "plate",
        "IMAGE",
        "A picture of frame `@FRAME` without the object, photographed or painted: trusted above "
        "all other sources in that frame's shot. Without `@`, it shows the first frame.",
        QUALITY,
    ),
]
NoSources = Annotated[
    list[str] | None,
    _prompt(
        "no-source",
        "PATH",
        "A mask of what is never copied into the hole, as other actors; files as with `--keep`.",
        QUALITY,
    ),
]
InvertMask = Annotated[bool | None, _switch("invert_mask", MASK)]
Tracker = Annotated[
    str | None, _value("tracker", MASK, "auto|builtin|none|sam2:SIZE", CHOICES["tracker"])
]
Sam2Weights = Annotated[str | None, _value("sam2_weights", MASK, "FILE")]
Sam2Memory = Annotated[str | None, _choice("sam2_memory", MASK)]
Sam2Motion = Annotated[bool | None, _switch("sam2_motion", MASK)]
Sam2Refine = Annotated[bool | None, _switch("sam2_refine", MASK)]
Strict = Annotated[bool | None, _switch("strict", MASK)]
Dilate = Annotated[str | None, _value("dilate", MASK, "PIXELS")]
Feather = Annotated[str | None, _value("feather", MASK, "PIXELS")]
Shadows = Annotated[str | None, _choice("shadows", MASK)]

Copy = Annotated[str | None, _choice("copy", QUALITY)]
Grain = Annotated[str | None, _choice("grain", QUALITY)]
Painter = Annotated[str | None, _choice("painter", QUALITY)]
Weights = Annotated[str | None, _value("weights", QUALITY, "DIR")]
Steps = Annotated[str | None, _value("steps", QUALITY, "NUMBER")]
Guidance = Annotated[str | None, _value("guidance", QUALITY, "NUMBER")]
Joins = Annotated[str | None, _choice("joins", QUALITY)]
Codec = Annotated[str | None, _value("codec", QUALITY, "NAME", CODECS)]
Crf = Annotated[str | None, _value("crf", QUALITY, "NUMBER")]
Lossless = Annotated[bool | None, _switch("lossless", QUALITY)]
Seed = Annotated[str | None, _value("seed", QUALITY, "NUMBER")]
Device = Annotated[str | None, _value("device", QUALITY, "NAME", DEVICES)]
Dtype = Annotated[str | None, _choice("dtype", QUALITY)]

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        help="Where to write: a file, a pattern (`out/%05d.png`), or `-` for the standard output; "
        "`<stem>.clean<suffix>` beside the input when left out.",
    ),
]
MaskOutput = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="MASKS",
        rich_help_panel=OUTPUT,
        help="Where to write: a folder for one PNG a frame, a video (.mkv, .mp4, .mov), or `-` "
        "for a video on the standard output.",
    ),
]
Format = Annotated[str | None, _choice("format", OUTPUT)]
Overwrite = Annotated[bool | None, _switch("overwrite", OUTPUT, "-y")]
Resume = Annotated[bool | None, _switch("resume", OUTPUT)]
Work = Annotated[str | None, _value("work", OUTPUT, "DIR")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel=OUTPUT,
        help="Print the plan (shots, windows, crops, memory, time) and write nothing.",
    ),
]
Preview = Annotated[
    Path | None,
    typer.Option(
        "--preview",
        metavar="FILE.png",
        rich_help_panel=OUTPUT,
        help="Write a sheet of pictures with the masks on them, and stop.",
    ),
]

Layer = Annotated[
    Path | None,
    _side("layer", "Write the fill alone with alpha: .mov (ProRes 4444), .mkv (FFV1) or PNGs."),
]
Matte = Annotated[
    Path | None,
    _side(
        "matte", "Write how much of the fill each pixel took, in gray: .mkv, .mp4, .mov or PNGs."
    ),
]
Compare = Annotated[
    Path | None,
    _side("compare", "Write source and result side by side with the sound: .mp4, .mov or .mkv."),
]
SourceMap = Annotated[
    Path | None,
    _side(
        "source-map",
        "Write which pixels are untouched, copied or painted, with a legend: .mkv, .mp4 or PNGs.",
    ),
]

Overlay = Annotated[
    Path | None,
    _side(
        "overlay",
        "Write the video with the masks drawn over it, objects by colour, frames to check marked: "
        ".mp4, .mov, .mkv or PNGs.",
    ),
]

Json = Annotated[bool | None, _switch("json", DISPLAY)]
Quiet = Annotated[bool | None, _switch("quiet", DISPLAY, "-q")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        metavar="",
        rich_help_panel=DISPLAY,
        help=all_options()["verbose"].help,
    ),
]
Progress = Annotated[str | None, _choice("progress", DISPLAY)]
Color = Annotated[str | None, _choice("color", DISPLAY)]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        rich_help_panel=DISPLAY,
        help="Read options from this TOML file, not from `remover.toml` and the user's file.",
    ),
]
NoConfig = Annotated[
    bool,
    typer.Option("--no-config", rich_help_panel=DISPLAY, help="Read options from no file."),
]
