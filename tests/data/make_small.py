"""Train the preset `small` from its photographs, by the commands; goes on where it was stopped.

    apt-get download lomiri-wallpapers-16.04
    python tests/data/make_small.py lomiri-wallpapers-16.04_20.04.0-2_all.deb TEXTURES -o FOLDER

TEXTURES is a folder with the CC0 and CC BY pictures of scikit-image and scikit-learn. The list
``small.toml`` has every photograph with its author, licence and hash, and what it is for; any other
picture is left alone. Writes

    FOLDER/photos/       what is learnt from and, named by held-out.txt, what is not
    FOLDER/judged/       photographs that were never learnt from, for compare_small.py
    FOLDER/SHA256SUMS    of every photograph as it came
    FOLDER/LICENSE       whose they are, for whoever passes the weights on
    FOLDER/one, two ...  the runs; FOLDER/small is the checkpoint for `--weights`
    FOLDER/times.jsonl   seconds of each step; those of one that was stopped are not known

Photographs are brought down to ``LARGEST`` pixels on a side, so that reading them takes no time.
"""

import argparse
import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

import cv2
import numpy as np

LIST = Path(__file__).with_name("small.toml")
LARGEST = 1600
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]
KINDS = (".png", ".jpg")
CHECKPOINT = "small"
TERMINATED = 128 + signal.SIGTERM


def unpacked(package):
    """The files of a Debian package by name, as bytes."""
    content = package.read_bytes()
    assert content.startswith(b"!<arch>\n"), f"{package} is no Debian package"
    place = 8
    while place < len(content):
        name, size = content[place : place + 16].decode().strip(" /"), content[place + 48 :][:10]
        begin, place = place + 60, place + 60 + int(size) + int(size) % 2
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(content[begin : begin + int(size)])) as archive:
                return {
                    Path(member.name).name: archive.extractfile(member).read()
                    for member in archive
                    if member.isfile() and Path(member.name).suffix in KINDS
                }
    raise SystemExit(f"{package} holds no data")


def reduced(content):
    """A photograph as it is learnt from: JPEG, at most ``LARGEST`` pixels on a side."""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    scale = min(1.0, LARGEST / max(picture.shape[:2]))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", picture, QUALITY)[1].tobytes()


def gather(package, textures, folder, listed):
    """Write the listed photographs, their hashes and whose they are."""
    there = {path.name: path.read_bytes() for path in textures.iterdir() if path.suffix in KINDS}
    there |= unpacked(package)
    for name in ("photos", "judged"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for one in listed:
        name, is_learnt = one["file"], one["use"] == "train"
        if name not in there:
            raise SystemExit(f"{name} is neither in {package} nor in {textures}")
        found = hashlib.sha256(there[name]).hexdigest()
        if found != one["sha256"]:
            raise SystemExit(f"{name} is another picture: sha256 {found}, not {one['sha256']}")
        content, target = reduced(there[name]), Path(name).with_suffix(".jpg").name
        if one["use"] != "judge":
            (folder / "photos" / target).write_bytes(content)
        if not is_learnt:
            (folder / "judged" / target).write_bytes(content)
    held = [Path(one["file"]).stem for one in listed if one["use"] == "held-out"]
    (folder / "photos" / "held-out.txt").write_text("".join(f"{name}\n" for name in held))
    sums = "".join(f"{one['sha256']}  {one['file']}\n" for one in listed)
    (folder / "SHA256SUMS").write_text(sums)
    (folder / "LICENSE").write_text(attribution(listed))


def attribution(listed):
    """Whose photographs were learnt from."""
    lines = [
        "The weights were learnt from parts of these photographs, which were scaled, mirrored, cut",
        "into shapes and pasted over others of them. No photograph is in the files.",
    ]
    used = [one for one in listed if one["use"] == "train"]
    for origin, licence in sorted({(one["origin"], one["licence"]) for one in used}):
        lines += ["", f"From {origin}, {licence}:"]
        own = [one for one in used if (one["origin"], one["licence"]) == (origin, licence)]
        lines += [f"  {one['file']}: {one['by']}" for one in own]
    return "\n".join(lines) + "\n"


def steps(folder, changes):
    """The name of each step of the chain, and its command; what was begun goes on."""
    told = ["--config", "small", "--set", "data.folder=photos"]
    for change in changes:
        told += ["--set", change]
    one, two = ([*told, *(["--resume"] if _is_begun(folder / run) else [])] for run in _RUNS)
    first = ["--init", "one"]
    yield "encode", ["encode", *told, "-o", "latents"]
    yield "stage 1", ["stage1", *one, "--latents", "latents", "-o", "one"]
    yield "sample", ["sample", "one", "-o", "samples"]
    yield "encode 2", ["encode", *told, "--stage", "2", *first, "-o", "latents-2"]
    given = [*first, "--samples", "samples", "--latents", "latents-2"]
    yield "stage 2", ["stage2", *two, *given, "-o", "two"]
    yield "evaluate", ["evaluate", "two"]
    yield "export", ["export", "two", "-o", CHECKPOINT, "--dtype", "fp16"]


_RUNS = ("one", "two")


def _is_begun(run):
    return (run / "config.toml").is_file()


def command(folder, words):
    """Run a command of ``remover train`` in the folder.

    Returns:
        CPU seconds.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [sys.executable, "-m", "remover", "train", *words, "--progress", "plain"]
    with subprocess.Popen(line, cwd=folder) as process:
        try:
            code = process.wait()
        except BaseException:
            process.terminate()  # it saves what it has learnt
            raise
    if code:
        raise SystemExit(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def chain(folder, changes, run=command):
    """Run every step that is not finished; ``run`` takes the folder and a command's words."""
    if (folder / CHECKPOINT).is_dir():
        print(f"{folder / CHECKPOINT} is there", flush=True)
        return
    for name, words in steps(folder, changes):
        print(f"== {name}: remover train {' '.join(words)}", flush=True)
        began = time.monotonic()
        used = run(folder, words)
        seconds = round(time.monotonic() - began, 1)
        said = {"step": name, "seconds": seconds, "cpu": round(used, 1), "load": os.getloadavg()[0]}
        with (folder / "times.jsonl").open("a") as file:
            file.write(json.dumps(said) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path)
    parser.add_argument("textures", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], help="as of `remover train`")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    listed = tomllib.loads(LIST.read_text())["photo"]
    gather(arguments.package, arguments.textures, arguments.output, listed)
    chain(arguments.output, arguments.set)


if __name__ == "__main__":
    main()
