import subprocess
import sys
from dataclasses import replace

import pytest

from remover.errors import OutputError
from remover.files import hidden
from remover.owner import Owner
from remover.partial import claimed, kept_bytes
from remover.progress import Silent

MARK = "0123abcd"


def leave(target, mark=MARK, content=b"begun"):
    """Write a part and fail."""

    def fail():
        with claimed(target, mark, Silent()) as part:
            part.write_bytes(content)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()


def dead():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return replace(Owner.here(), pid=gone.pid)


def test_what_is_left_is_taken_up(tmp_path, told):
    target = tmp_path / "a.pt"
    leave(target)
    assert [p.name for p in tmp_path.iterdir()] == [f".a.pt.{MARK}.part"]
    assert kept_bytes(target, MARK) == 5
    with claimed(target, MARK, told) as part:
        assert part.read_bytes() == b"begun"
        assert str(Owner.here()) in part.name
        assert [*tmp_path.iterdir()] == [part]
        part.rename(target)
    assert [*tmp_path.iterdir()] == [target]


def test_an_empty_part_is_not_kept(tmp_path):
    leave(tmp_path / "a.pt", content=b"")
    assert [*tmp_path.iterdir()] == []


def test_a_part_of_a_killed_process_is_taken_up(tmp_path, told):
    target = tmp_path / "a.pt"
    hidden(target, f".{dead()}.{MARK}.part").write_bytes(b"much more")
    leave(target, content=b"less")
    with claimed(target, MARK, told) as part:
        assert part.read_bytes() == b"less"
    hidden(target, f".{dead()}.{MARK}.part").write_bytes(b"much more")
    with claimed(target, MARK, told) as part:
        assert part.read_bytes() == b"much more"
        assert [*tmp_path.iterdir()] == [part]


def test_a_longer_part_is_not_given_up_for_a_shorter_one(tmp_path, told):
    target = tmp_path / "a.pt"
    with claimed(target, MARK, told) as part:
        part.write_bytes(b"less")
        hidden(target, f".{MARK}.part").write_bytes(b"much more")
    assert kept_bytes(target, MARK) == 9
    assert len([*tmp_path.iterdir()]) == 1


def test_parts_of_another_content_go(tmp_path, told):
    target = tmp_path / "a.pt"
    leave(target, mark="ffffffff")
    hidden(tmp_path / "a.pt.other", f".{MARK}.part").write_bytes(b"stays")
    assert kept_bytes(target, MARK) == 0
    with claimed(target, MARK, told) as part:
        assert part.read_bytes() == b""
        assert {p.name for p in tmp_path.iterdir()} == {part.name, f".a.pt.other.{MARK}.part"}


def test_one_that_lives_is_not_disturbed(tmp_path, told):
    target = tmp_path / "a.pt"
    with claimed(target, MARK, told) as part:
        part.write_bytes(b"begun")
        with (
            pytest.raises(OutputError, match=r"is writing `.*a\.pt` now"),
            claimed(target, MARK, told),
        ):
            pytest.fail("there are two")
        assert kept_bytes(target, MARK) == 0
        assert part.read_bytes() == b"begun"


def test_one_of_another_host_is_named_and_left(tmp_path, told):
    target = tmp_path / "a.pt"
    theirs = hidden(target, f".{replace(Owner.here(), host='other')}.{MARK}.part")
    theirs.write_bytes(b"theirs")
    with claimed(target, MARK, told) as part:
        assert part.read_bytes() == b""
    assert theirs.read_bytes() == b"theirs"
    assert "`other`, which cannot be seen from here" in told.said[0]


RACE = """
import sys, time
from pathlib import Path
from remover.errors import OutputError
from remover.partial import claimed
from remover.progress import Silent
target = Path(sys.argv[1])
sys.stdin.readline()
try:
    with claimed(target, "0123abcd", Silent()) as part:
        print("mine", flush=True)
        sys.stdin.readline()
except OutputError:
    print("not mine", flush=True)
"""


def test_of_those_that_begin_at_once_one_wins(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path / "a.pt")]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    said = sorted(racer.stdout.readline() for racer in racers)
    for racer in racers:
        racer.communicate("\n")
    assert said == ["mine\n"] + ["not mine\n"] * 3
