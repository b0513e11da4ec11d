import errno
import subprocess
import sys
from dataclasses import replace

import pytest

from remover import files
from remover.errors import OutputError
from remover.owner import Owner


def test_a_failed_run_leaves_nothing(tmp_path):
    target = tmp_path / "out.mp4"

    def fail() -> None:
        with files.publishing(target, overwrite=False) as part:
            part.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_publishing_is_one_step(tmp_path):
    target = tmp_path / "out.mp4"
    with files.publishing(target, overwrite=False) as part:
        part.write_bytes(b"whole")
        assert not target.exists()
        assert part.parent == tmp_path
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "out.mp4"

    def race() -> None:
        with files.publishing(target, overwrite=False) as part:
            part.write_bytes(b"mine")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="appeared"):
        race()
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder_only_when_asked(tmp_path):
    target = tmp_path / "masks"
    target.mkdir()
    (target / "old.png").touch()

    def write(overwrite: bool) -> None:
        with files.publishing(target, overwrite=overwrite) as part:
            part.mkdir()
            (part / "new.png").touch()

    with pytest.raises(OutputError):
        write(overwrite=False)
    assert [p.name for p in target.iterdir()] == ["old.png"]
    write(overwrite=True)
    assert [p.name for p in target.iterdir()] == ["new.png"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_so(tmp_path):
    def fill_up() -> None:
        with files.publishing(tmp_path / "out.mp4", overwrite=False):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="disk is full"):
        fill_up()


def test_the_target_is_checked_before_any_work(tmp_path):
    source = tmp_path / "in.mp4"
    source.touch()
    with pytest.raises(OutputError, match="is the input itself"):
        files.check_target(source, source, overwrite=False)
    files.check_target(source, source, overwrite=True)
    with pytest.raises(OutputError, match="exists already"):
        files.check_target(source, None, overwrite=False)
    with pytest.raises(OutputError, match="does not exist"):
        files.check_target(tmp_path / "no" / "out.mp4", source, overwrite=False)
    assert list(tmp_path.iterdir()) == [source]


def _left_by(owner: Owner, target, kind: str = "part"):
    return target.with_name(f".{target.name}.{owner}.0123abcd.{kind}")


@pytest.fixture
def dead():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return replace(Owner.here(), pid=gone.pid)


def test_what_the_dead_left_goes_and_what_others_own_stays(tmp_path, dead):
    target = tmp_path / "out [1].mp4"
    other = replace(Owner.here(), host="other")
    for owner in (dead, other, Owner.here()):
        _left_by(owner, target).write_bytes(b"half")
    _left_by(dead, tmp_path / "another.mp4").write_bytes(b"half")
    assert files.reclaim(target) == ((_left_by(other, target), other),)
    left = {_left_by(other, target), _left_by(Owner.here(), target)}
    assert set(tmp_path.iterdir()) == left | {_left_by(dead, tmp_path / "another.mp4")}


def test_a_folder_that_was_being_replaced_comes_back(tmp_path, dead):
    target = tmp_path / "masks"
    for kind in ("old", "part"):
        _left_by(dead, target, kind).mkdir()
        (_left_by(dead, target, kind) / f"{kind}.png").touch()
    assert files.reclaim(target) == ()
    assert [p.name for p in tmp_path.iterdir()] == ["masks"]
    assert [p.name for p in target.iterdir()] == ["old.png"]


def test_a_long_name_still_has_room_for_its_owner(tmp_path):
    target = tmp_path / ("n" * 240 + ".mp4")
    with files.publishing(target, overwrite=False) as part:
        part.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"


def test_temporary_folders_of_the_dead_go(tmp_path, dead):
    for owner in (dead, Owner.here()):
        (tmp_path / f"remover-{owner}.abc").mkdir()
    (tmp_path / "remover-notes").mkdir()
    with files.work_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
    assert {p.name for p in tmp_path.iterdir()} == {f"remover-{Owner.here()}.abc", "remover-notes"}
