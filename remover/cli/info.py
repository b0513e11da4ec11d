"""``remover info``: what this machine, this install and a file are."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remover.choices import CHOICES
from remover.cli import arguments as flag
from remover.cli.console import SCHEMA, Console
from remover.cli.session import PIPE, configure, refuse_terminal, running, spooled
from remover.config import PROJECT_FILE, template, user_file
from remover.version import __version__

if TYPE_CHECKING:
    from remover.types import VideoInfo

HELP = """Show what this machine, this install and a file are.

Examples:
  remover info
  remover info clip.mp4 --json
  remover info shot/%05d.exr
  cat clip.mkv | remover info -
  remover info --config-template > remover.toml
"""

Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="INPUT",
        help="A video to look at, an image sequence as `shot/%05d.png` or its folder, or `-` for "
        "the standard input.",
        rich_help_panel=flag.INPUT,
    ),
]
ConfigTemplate = Annotated[
    bool,
    typer.Option(
        "--config-template",
        rich_help_panel=flag.OUTPUT,
        help="Print a configuration file with every option, and nothing else.",
    ),
]


def info(
    ctx: typer.Context,
    source: Source = None,
    config_template: ConfigTemplate = False,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Gather, print."""
    console: Console = ctx.obj
    if config_template:
        console.data(template())
        return
    configure(console, locals())
    is_piped = source is not None and str(source) == PIPE
    if is_piped:
        refuse_terminal(console, "info -")
    with running(console), contextlib.ExitStack() as stack:
        path = stack.enter_context(spooled(console)) if is_piped else source
        facts = gather(path)
        if is_piped:
            facts["file"]["path"] = PIPE
    if console.display.json:
        console.data_json({"schema": SCHEMA, **facts})
    else:
        console.data("\n".join(lines_of(facts)) + "\n")


def gather(source: Path | None) -> dict[str, Any]:
    """Facts as plain values: ``file`` (None without ``source``), ``machine``, ``install``.

    Raises:
        InputError: It cannot be read as a video or an image sequence.
    """
    from remover.video import look_at

    file = None if source is None else describe(look_at(source))
    return {"file": file, "machine": _machine(), "install": _install()}


def describe(video: "VideoInfo") -> dict[str, Any]:
    """Facts about a file as plain values."""
    colour, turn = video.colour, video.orientation
    names = ("matrix", "range", "primaries", "transfer")
    return {
        "path": str(video.path),
        "container": video.container,
        "codec": video.codec,
        "profile": video.profile,
        "pixel_format": video.layout.name,
        "width": video.size.width,
        "height": video.size.height,
        "sample_aspect": str(video.sample_aspect),
        "rotation_clockwise": turn.clockwise,
        "mirrored": turn.hflip,
        "matrix": colour.matrix,
        "full_range": colour.full_range,
        "colour_tags": dict(zip(names, colour.tags, strict=True)),
        "hdr": dict(video.hdr),
        "rate": str(video.rate),
        "frames": video.num_frames_hint or None,
        "duration_s": video.duration_s,
        "interlaced": video.interlaced,
        "alpha": video.layout.has_alpha,
        "timecode": video.timecode,
        "streams": [
            {
                "index": other.index,
                "kind": other.kind,
                "codec": other.codec,
                "language": other.language,
                "title": other.title,
            }
            for other in video.others
        ],
        "chapters": video.num_chapters,
        "warnings": list(video.warnings),
    }


def lines_of(facts: dict[str, Any]) -> list[str]:
    """The same for a person."""
    machine, install = facts["machine"], facts["install"]
    versions = ", ".join(f"{name} {version}" for name, version in install["versions"].items())
    usable = [name for name, works in install["encoders"].items() if works]
    missing = [name for name, works in install["encoders"].items() if not works]
    lines = [
        f"machine    {machine['system']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_bytes'] / 1e9:.1f} GB",
        f"devices    {', '.join(machine['devices'])}",
        f"install    {versions}",
        f"libraries  {', '.join(f'{n} {v}' for n, v in install['libraries'].items())}",
        f"encoders   {', '.join(usable)}",
        *([f"missing    {', '.join(missing)}"] if missing else []),
        f"trackers   {', '.join(install['trackers'])}",
        f"weights    {', '.join(install['weights']) or 'none installed'}",
        f"painters   {', '.join(install['painters'])} (classic is {install['painted_by']})",
        f"settings   {', '.join(install['config_files']) or 'no file'}",
    ]
    return lines if facts["file"] is None else [*_file_lines(facts["file"]), "", *lines]


def _file_lines(file: dict[str, Any]) -> list[str]:
    frames = "" if file["frames"] is None else f", {file['frames']} frames"
    seconds = "" if file["duration_s"] is None else f", {file['duration_s']:.3f} s"
    flags = [
        f"pixels {file['sample_aspect']}" if file["sample_aspect"] != "1" else "",
        f"shown turned by {file['rotation_clockwise']}" if file["rotation_clockwise"] else "",
        "mirrored" if file["mirrored"] else "",
        "interlaced" if file["interlaced"] else "",
        "alpha" if file["alpha"] else "",
        f"timecode {file['timecode']}" if file["timecode"] else "",
        f"{file['chapters']} chapters" if file["chapters"] else "",
    ]
    profile = f" ({file['profile']})" if file["profile"] else ""
    tags = ", ".join(f"{name} {number}" for name, number in file["colour_tags"].items())
    lines = [
        f"file       {file['path']}: {file['container']}",
        f"picture    {file['codec']}{profile}, {file['width']}x{file['height']}, "
        f"{file['pixel_format']}, {float(_rate(file['rate'])):.3f} frames/s{frames}{seconds}",
        f"colour     {file['matrix']}, {'full' if file['full_range'] else 'limited'} range "
        f"(tags: {tags})",
        *(f"hdr        {name}: {value}" for name, value in file["hdr"].items()),
    ]
    if any(flags):
        lines.append(f"also       {', '.join(text for text in flags if text)}")
    for stream in file["streams"]:
        words = [stream["kind"], stream["codec"], stream["language"], stream["title"]]
        lines.append(f"stream {stream['index']:<3} {', '.join(word for word in words if word)}")
    return lines + [f"warning    {text}" for text in file["warnings"]]


def _rate(text: str) -> float:
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)


def _machine() -> dict[str, Any]:
    import platform

    from remover.device import total_memory

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_bytes": total_memory(),
        "devices": _devices(),
    }


def _processor() -> str:
    import platform

    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _devices() -> list[str]:
    import torch

    found = ["cpu"]
    for index in range(torch.cuda.device_count()):
        found.append(f"cuda:{index} ({torch.cuda.get_device_name(index)})")
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def _install() -> dict[str, Any]:
    from remover.fill import PAINTER
    from remover.report import versions
    from remover.video.about import library_versions, usable_encoders
    from remover.weights import is_installed, lock, select

    has_network = all(is_installed(entry.name) for entry in select(["minimax"]))
    files = [Path(PROJECT_FILE), user_file()]
    libraries = library_versions()
    libraries.pop("av", None)  # it stands among the versions already
    return {
        "versions": {"remover": __version__, **versions()},
        "libraries": libraries,
        "encoders": usable_encoders(),
        "trackers": [name for name in CHOICES["tracker"] if name != "auto"],
        "weights": [name for name in lock() if is_installed(name)],
        "painters": ["classic", *(["minimax"] if has_network else [])],
        "painted_by": PAINTER,
        "config_files": [str(file) for file in files if file is not None and file.is_file()],
    }
