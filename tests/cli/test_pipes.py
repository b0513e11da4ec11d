"""Videos through the standard streams."""

import io
import os
import subprocess
import sys

import av
import numpy as np
import pytest

CLEAN = ("clean", "--tracker", "none", "--box", "4,32,24,24", "--progress", "none")


@pytest.fixture
def piped(tmp_path, plain_environment, quick_python):
    """A function that runs the command with bytes on its stdin."""

    def run(*arguments, content=b"", code=None):
        program = ["-m", "remover"] if code is None else ["-c", code]
        return subprocess.run(
            [*quick_python, *program, *map(str, arguments)],
            cwd=tmp_path,
            env=plain_environment,
            input=content,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run


def pictures(content):
    with av.open(io.BytesIO(content)) as container:
        return [f.to_ndarray(format="gray") for f in container.decode(video=0)]


def facts(content):
    with av.open(io.BytesIO(content)) as container:
        kinds = [stream.type for stream in container.streams]
        return container.format.name, kinds, container.streams[0].codec_context.name


def starts(content):
    """When the first packet of each stream is due, in seconds."""
    found = {}
    with av.open(io.BytesIO(content)) as container:
        for packet in container.demux():
            if packet.pts is not None:
                time = float(packet.pts * packet.time_base)
                found[packet.stream_index] = min(time, found.get(packet.stream_index, time))
    return found


def test_from_pipe_to_pipe(make_clip, piped):
    clip = make_clip(audio=True)
    done = piped(*CLEAN, "-", "-o", "-", content=clip.path.read_bytes())
    assert done.returncode == 0, done.stderr
    assert facts(done.stdout) == ("matroska,webm", ["video", "audio"], "ffv1")
    found = pictures(done.stdout)
    assert len(found) == 24
    near = clip.masks[0].copy()
    near[20:70, :50] = True
    before = pictures(clip.path.read_bytes())
    assert np.array_equal(found[0][~near], before[0][~near])
    assert not np.array_equal(found[0], before[0])
    assert b"written to the pipe as matroska" in done.stderr


def test_a_library_cannot_spoil_the_video(make_clip, piped):
    clip = make_clip(frames=4)
    code = (
        "import os, sys, ctypes, remover.fill\n"
        "def noisy(real):\n"
        "    def call(*given, **named):\n"
        "        print('a stray line'); os.system('echo a stray line')\n"
        "        ctypes.CDLL(None).printf(b'a stray line')\n"
        "        return real(*given, **named)\n"
        "    return call\n"
        "import remover.light as light\n"
        "light.survey = noisy(light.survey)\n"
        "from remover.cli.main import main\n"
        "main()"
    )
    plain = piped(*CLEAN, clip.path, "-o", "-")
    spoilt = piped(*CLEAN, clip.path, "-o", "-", code=code)
    assert spoilt.returncode == 0, spoilt.stderr
    assert spoilt.stdout == plain.stdout
    assert spoilt.stderr.count(b"a stray line") == 3


@pytest.mark.parametrize(
    ("name", "container", "kinds"),
    [
        ("matroska", "matroska,webm", ["video", "audio"]),
        ("mp4", "mov,mp4,m4a,3gp,3g2,mj2", ["video", "audio"]),
        ("nut", "nut", ["video", "audio"]),
        ("mpegts", "mpegts", ["video"]),
        ("y4m", "yuv4mpegpipe", ["video"]),
    ],
)
def test_every_format_of_a_pipe(make_clip, piped, name, container, kinds):
    clip = make_clip("c.mov", codec="libx264", pixel_format="yuv420p", frames=8, audio=True)
    done = piped(*CLEAN, clip.path, "-o", "-", "--format", name)
    assert done.returncode == 0, done.stderr
    assert facts(done.stdout)[:2] == (container, kinds)
    assert len(pictures(done.stdout)) == 8
    assert (b"is left out" in done.stderr) == (len(kinds) == 1)
    if len(kinds) == 2:
        begin = starts(done.stdout)
        assert abs(begin[0] - begin[1]) < 0.05


def test_y4m_goes_through_without_loss(make_clip, piped, tmp_path):
    clip = make_clip(pixel_format="yuv420p10le", frames=4)
    out = piped(*CLEAN, clip.path, "-o", "a.y4m")
    assert out.returncode == 0, out.stderr
    assert out.stderr.count(b"error") == 0
    done = piped(*CLEAN, "a.y4m", "-o", "-", "--format", "y4m", "--start", "3")
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "a.y4m").read_bytes()
    assert first.startswith(b"YUV4MPEG2 W128 H96 F24:1")
    half = len(first) // 2
    assert done.stdout[:half] == first[:half]


def test_an_odd_name_with_a_format(make_clip, piped, tmp_path):
    clip = make_clip(frames=4)
    done = piped(*CLEAN, clip.path, "-o", "out.part", "--format", "nut")
    assert done.returncode == 0, done.stderr
    assert facts((tmp_path / "out.part").read_bytes())[0] == "nut"


def test_masks_go_to_a_pipe(make_clip, piped):
    clip = make_clip(frames=4)
    done = piped("mask", clip.path, *CLEAN[1:], "--dilate", "0", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert facts(done.stdout) == ("matroska,webm", ["video"], "ffv1")
    mask = pictures(done.stdout)[0]
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(mask > 0, clip.masks[0])


def test_a_reader_that_leaves_ends_the_run_quietly(make_clip, tmp_path, plain_environment):
    clip = make_clip(frames=40)  # more than a pipe holds
    process = subprocess.Popen(
        [sys.executable, "-m", "remover", *CLEAN, str(clip.path), "-o", "-"],
        cwd=tmp_path,
        env=plain_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.read(100)
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(120) == 0
    assert "Traceback" not in errors
    assert "error" not in errors
    assert list(tmp_path.iterdir()) == []


def test_an_empty_pipe_is_said(piped, tmp_path):
    done = piped(*CLEAN, "-", "-o", "out.mkv")
    assert done.returncode == 3
    assert b"nothing came in" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_copy_of_the_input_stays(make_clip, piped, tmp_path, plain_environment, monkeypatch):
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setitem(plain_environment, "TMPDIR", str(spool))
    content = make_clip("c.mp4", codec="libx264", pixel_format="yuv420p", frames=4).path
    done = piped(*CLEAN, "-", "-o", "out.mkv", "--json", content=content.read_bytes())
    assert done.returncode == 0, done.stderr
    assert b'"input": "-"' in done.stdout
    assert list(spool.iterdir()) == []
    assert piped(*CLEAN, "-", "-o", "b.mkv", content=b"no video" * 99).returncode == 3
    assert list(spool.iterdir()) == []


def test_json_and_video_do_not_share_stdout(make_clip, piped):
    done = piped(*CLEAN, make_clip(frames=2).path, "-o", "-", "--json")
    assert done.returncode == 2
    assert b"`--json` and `-o -` exclude each other" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("end", ["stdin", "stdout"])
def test_terminals_are_refused(end, make_clip, tmp_path, plain_environment):
    import pty

    leader, follower = pty.openpty()
    source = "-" if end == "stdin" else str(make_clip(frames=2).path)
    output = "-" if end == "stdout" else "out.mkv"
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, end: follower}
    done = subprocess.run(
        [sys.executable, "-m", "remover", *CLEAN, source, "-o", output],
        cwd=tmp_path,
        env=plain_environment,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
        **streams,
    )
    os.close(follower)
    os.close(leader)
    assert done.returncode == 2
    assert b"is a terminal" in done.stderr
