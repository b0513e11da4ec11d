import json

from remover.cli.info import describe
from remover.video import probe


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
