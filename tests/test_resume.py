"""Runs that were stopped, and what goes on from there."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

import remover
from remover import compose, files, journal, light, records
from remover.errors import InputError, OutputError, UsageError
from remover.owner import Owner
from remover.segment import MaskStore, propagate
from remover.workplace import OWNER, folder_for


class StoppedError(Exception):
    """Ends a run in its middle."""


CLIP = {"frames": 56, "height": 48, "width": 64, "cut_at": 40}


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip("clip.mkv", **CLIP)


def clean(clip, out: Path, **options):
    x, y, w, h = clip.box
    boxes = [clip.box, f"{x + 32},{y},{w},{h}@40"]
    return remover.clean(clip.path, out, box=boxes, **{"tracker": "none", **options})


@pytest.fixture(scope="module")
def truth(clip, tmp_path_factory) -> bytes:
    """What a run that nobody stops writes."""
    out = tmp_path_factory.mktemp("truth") / "out.mkv"
    clean(clip, out)
    return out.read_bytes()


def stop_after(patched, owner: object, name: str, calls: int) -> None:
    """Let the function ``name`` work ``calls`` times and then end the run."""
    real, count = getattr(owner, name), itertools.count()

    def counted(*given, **named):
        if next(count) >= calls:
            raise StoppedError
        return real(*given, **named)

    patched.setattr(owner, name, counted)


@pytest.fixture
def stopped(clip, tmp_path, monkeypatch):
    """Start a run of the clip to ``out.mkv`` and end it within a function."""

    def make(owner: object, name: str, calls: int, **options) -> Path:
        out = tmp_path / "out.mkv"
        with monkeypatch.context() as patched:
            stop_after(patched, owner, name, calls)
            with pytest.raises(StoppedError):
                clean(clip, out, **options)
        assert not out.exists()
        return out

    return make


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("owner", "name", "calls", "resumed"),
    [
        (light, "survey", 1, 0),
        (compose, "put_in", 5, 0),
        (compose, "put_in", 36, 32),
        (compose, "put_in", 50, 40),
        (journal.Journal, "begin_publishing", 0, 56),
    ],
)
def test_it_goes_on_to_the_same_bytes(owner, name, calls, resumed, clip, truth, stopped, tmp_path):
    out = stopped(owner, name, calls)
    report = clean(clip, out, resume=True)
    assert out.read_bytes() == truth
    assert report.resumed_frames == resumed
    assert left(tmp_path) == ["out.mkv"]


def test_objects_that_were_followed_are_not_followed_again(clip, stopped, tmp_path, monkeypatch):
    truth = tmp_path / "truth.mkv"
    with monkeypatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        first = clean(clip, truth, tracker="builtin")
    out = stopped(propagate.ShotTrack, "run", 1, tracker="builtin")
    followed = []
    real = propagate.ShotTrack.run
    with monkeypatch.context() as patched:
        patched.setattr(
            propagate.ShotTrack,
            "run",
            lambda self: (followed.append(self._shot.start), real(self))[1],
        )
        clean(clip, out, resume=True, tracker="builtin")
        assert followed == [40]
        assert out.read_bytes() == truth.read_bytes()
        # Tracked once and for all, whatever the fill options are.
        again = clean(clip, tmp_path / "b.mkv", tracker="builtin", dilate=9, seed=4)
        assert followed == [40]
        assert (again.lost, again.unsure) == (first.lost, first.unsure)


def test_nothing_left_simply_begins(clip, tmp_path):
    report = clean(clip, tmp_path / "out.mkv", resume=True)
    assert report.resumed_frames == 0
    assert left(tmp_path) == ["out.mkv"]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"dilate": 3}, "`--dilate` was `None` and is `3`"), ({"seed": 9}, "`--seed` was `0`")],
)
def test_work_done_with_other_options_is_never_mixed(change, named, clip, stopped):
    out = stopped(compose, "put_in", 36)
    with pytest.raises(UsageError, match=named):
        clean(clip, out, resume=True, **change)
    assert clean(clip, out, resume=True).resumed_frames == 32


def test_work_done_for_another_input_is_never_mixed(make_clip, stopped):
    out = stopped(compose, "put_in", 36)
    other = make_clip("clip.mkv", **CLIP, audio=True)
    with pytest.raises(UsageError, match="the input changed"):
        clean(other, out, resume=True)


def test_work_is_not_thrown_away_unasked(clip, stopped):
    out = stopped(compose, "put_in", 36)
    with pytest.raises(OutputError, match="an interrupted run left its work") as raised:
        clean(clip, out)
    assert "--resume" in raised.value.hint
    assert clean(clip, out, overwrite=True).resumed_frames == 0


def test_work_of_other_options_makes_room_for_a_new_run(clip, stopped, tmp_path):
    out = stopped(compose, "put_in", 36)
    assert clean(clip, out, dilate=3).resumed_frames == 0
    assert left(tmp_path) == ["out.mkv"]


def test_a_damaged_journal_is_read_as_far_as_it_is_whole(clip, truth, stopped):
    out = stopped(compose, "put_in", 50)
    fills = folder_for(out, None) / "fills.bin"
    content = bytearray(fills.read_bytes())
    first = next(r for r in records.read(fills) if r.kind == journal.WINDOW)
    content[first.end + 40] ^= 1
    fills.write_bytes(content)
    assert clean(clip, out, resume=True).resumed_frames == 32
    assert out.read_bytes() == truth


def test_the_work_folder_may_be_elsewhere(clip, stopped, tmp_path):
    work = tmp_path / "work"
    out = stopped(compose, "put_in", 36, work=str(work))
    assert left(tmp_path) == ["work"]
    (folder,) = work.iterdir()
    assert folder.name.startswith("out.mkv.")
    assert clean(clip, out, resume=True, work=str(work)).resumed_frames == 32
    assert left(work) == []


def test_a_run_that_was_killed_after_it_published_ends_well(
    clip, truth, stopped, monkeypatch, tmp_path
):
    out = stopped(journal.Journal, "begin_publishing", 0)
    kept, real = folder_for(out, None), files.remove
    with monkeypatch.context() as patched:
        patched.setattr(files, "remove", lambda path: None if path == kept else real(path))
        clean(clip, out, resume=True)
    assert kept.is_dir()
    assert clean(clip, out, resume=True).resumed_frames == 56
    assert out.read_bytes() == truth
    assert left(tmp_path) == ["out.mkv"]


def test_a_file_that_came_meanwhile_is_not_replaced(clip, stopped):
    out = stopped(journal.Journal, "begin_publishing", 0)
    out.write_bytes(b"somebody else's")
    with pytest.raises(OutputError, match="exists already"):
        clean(clip, out, resume=True)
    assert out.read_bytes() == b"somebody else's"


def test_a_run_that_found_nothing_leaves_nothing_to_go_on_with(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(MaskStore, "is_empty", lambda *_: True)
    with pytest.raises(InputError, match="has anything masked"):
        clean(clip, tmp_path / "out.mkv")
    assert left(tmp_path) == []


def test_two_runs_do_not_write_the_same_output(clip, stopped):
    out = stopped(compose, "put_in", 36)
    (folder_for(out, None) / OWNER).write_text(str(Owner.here()))
    with pytest.raises(OutputError, match="is writing this output now"):
        clean(clip, out, resume=True)


def test_a_run_of_another_machine_is_named_and_left_alone(clip, stopped):
    out = stopped(compose, "put_in", 36)
    lock = folder_for(out, None) / OWNER
    lock.write_text("other-host.12-1700000000")
    with pytest.raises(OutputError, match="process 12 on `other-host`"):
        clean(clip, out, resume=True)
    assert lock.is_file()


def test_a_dead_run_of_this_machine_is_taken_over(clip, stopped, tmp_path):
    out = stopped(compose, "put_in", 36)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = Owner.here()
    dead = Owner(here.host, gone.pid, here.started)
    (folder_for(out, None) / OWNER).write_text(str(dead))
    (tmp_path / f".out.mkv.{dead}.0123abcd.part").write_bytes(b"half a file")
    assert clean(clip, out, resume=True).resumed_frames == 32
    assert left(tmp_path) == ["out.mkv"]


def test_a_pipe_cannot_be_gone_on_with(clip, tmp_path):
    with (tmp_path / "out").open("wb") as pipe, pytest.raises(UsageError, match="pipe"):
        clean(clip, pipe, resume=True)


def test_the_reason_is_told_and_the_way_on(clip, tmp_path, monkeypatch):
    told = []

    class Listening:
        def __getattr__(self, name: str):
            return lambda *given, **_: told.append((name, *given))

    with monkeypatch.context() as patched:
        stop_after(patched, compose, "put_in", 36)
        with pytest.raises(StoppedError):
            clean(clip, tmp_path / "out.mkv", progress=Listening())
    assert any(name == "note" and "`--resume`" in rest[0] for name, *rest in told)
    told.clear()
    clean(clip, tmp_path / "out.mkv", resume=True, progress=Listening())
    assert sum(name == "skip" and rest == [] for name, *rest in told) == 32


def test_the_plan_is_part_of_the_journal(clip, truth, stopped, monkeypatch):
    out = stopped(compose, "put_in", 36)
    noted = json.loads((folder_for(out, None) / journal.FACTS).read_text())
    assert [w[:2] for w in noted["plan"]["windows"]] == [[0, 32], [32, 40], [40, 56]]
    monkeypatch.setattr("remover.device.total_memory", lambda: 1 << 20)
    clean(clip, out, resume=True)
    assert out.read_bytes() == truth


def test_five_killed_runs_end_with_the_same_bytes():
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "kill_runs.py"),
            "--runs",
            "5",
            "--seed",
            "10",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 runs, 5 equal and clean" in done.stdout
