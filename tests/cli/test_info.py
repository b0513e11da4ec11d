import json
import subprocess

import numpy as np

from remover.cli.info import describe
from remover.video import look_at, probe


def test_info_of_this_install(remover):
    done = remover("info", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    facts = json.loads(done.stdout)
    assert facts["schema"] == 1
    assert facts["file"] is None
    assert facts["machine"]["devices"][0] == "cpu"
    assert facts["machine"]["memory_bytes"] > 0
    assert facts["install"]["encoders"]["ffv1"] is True
    assert "libavcodec" in facts["install"]["libraries"]
    assert facts["install"]["trackers"][:2] == ["builtin", "none"]
    assert facts["install"]["weights"] == []


def test_info_of_a_file(remover, make_clip):
    clip = make_clip(audio=True)
    done = remover("info", clip.path)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert text.startswith(f"file       {clip.path}: matroska,webm\n")
    assert "picture    ffv1, 128x96, yuv444p, 24.000 frames/s" in text
    assert "audio, pcm_s16le" in text
    facts = describe(probe(clip.path))
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["width"], facts["height"], facts["codec"]) == (128, 96, "ffv1")


def test_info_of_something_else(remover, tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    done = remover("info", "notes.txt", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["name"] == "input"
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


def test_info_of_a_sequence(remover, exr, tmp_path):
    (tmp_path / "shot").mkdir()
    light = np.ones((20, 30), np.float16)
    picture = exr.make({"R": light, "G": light, "B": light, "Z": light}, is_zip=True)
    for number in (7, 8):
        (tmp_path / "shot" / f"{number:04d}.exr").write_bytes(picture)
    done = remover("info", "shot/%04d.exr")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert text.startswith("file       shot/%04d.exr: image2\n")
    assert "exr (ZIP), 30x20, gbrpf16le, 24.000 frames/s, 2 frames" in text
    assert "warning    only the main picture is read" in text
    assert describe(look_at(tmp_path / "shot"))["frames"] == 2


def test_info_of_what_is_piped_in(make_clip, tmp_path, plain_environment, quick_python):
    clip = make_clip(frames=2)

    def piped(content, *more):
        return subprocess.run(
            [*quick_python, "-m", "remover", "info", "-", *more],
            cwd=tmp_path,
            env=plain_environment,
            input=content,
            capture_output=True,
            timeout=120,
            check=False,
        )

    done = piped(clip.path.read_bytes(), "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    facts = json.loads(done.stdout)["file"]
    assert (facts["path"], facts["container"]) == ("-", "matroska,webm")
    empty = piped(b"")
    assert empty.returncode == 3
    assert b"nothing came in" in empty.stderr
