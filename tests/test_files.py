import errno

import pytest

from remover import files
from remover.errors import OutputError


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
