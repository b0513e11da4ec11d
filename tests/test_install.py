import hashlib
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from remover import install, weights
from remover.errors import InputError, OutputError, UsageError, WeightsError
from remover.weights import WeightFile

SMALL, BIG = b"small" * 100, b"big" * 100_000
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def known(web, monkeypatch):
    """A lock of two files that a server on this machine has."""
    entries = {
        name: WeightFile(
            name=name,
            path=path,
            url=web.put(path, content),
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            licence=licence,
        )
        for name, path, content, licence in [
            ("net/big", "net/big.pt", BIG, "apache-2.0"),
            ("net/small", "net/small.json", SMALL, "cc-by-nc-4.0"),
        ]
    }
    monkeypatch.setattr(weights, "lock", lambda: entries)
    return entries


def agree(*_):
    """Accept every licence."""


def all_of(known):
    return tuple(known.values())


def inside(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_files_are_pulled_once(known, web, told):
    done = install.pull(all_of(known), agree, told)
    assert [one.is_new for one in done] == [True, True]
    assert inside(weights.folder()) == ["net/big.pt", "net/small.json"]
    assert done[0].path.read_bytes() == BIG
    assert weights.verified("net/small").read_bytes() == SMALL
    again = install.pull(all_of(known), agree, told)
    assert [one.is_new for one in again] == [False, False]
    assert len(web.asked) == 2


def test_a_damaged_file_is_replaced(known, told):
    install.pull(all_of(known), agree, told)
    weights.place("net/big").write_bytes(b"x" * len(BIG))
    done = install.pull(all_of(known), agree, told)
    assert [one.is_new for one in done] == [True, False]
    assert weights.place("net/big").read_bytes() == BIG
    assert "is damaged and will be replaced" in told.said[-1]


def test_consent_is_asked_for_before_anything_is_fetched(known, web, told):
    asked = []

    def refuse(licence, entries):
        asked.append((licence.name, [entry.name for entry in entries]))
        raise UsageError("no")

    with pytest.raises(UsageError):
        install.pull(all_of(known), refuse, told)
    assert asked == [("cc-by-nc-4.0", ["net/small"])]
    assert web.asked == []
    install.pull([known["net/big"]], refuse, told)
    install.pull(all_of(known), agree, told)
    install.pull(all_of(known), refuse, told)
    assert len(asked) == 1


def test_a_broken_pull_is_gone_on_with(known, web, told):
    big = known["net/big"]
    web.faults = [web.cut(1000)]
    with pytest.raises(WeightsError, match=r"broke off after 1,000 of 300,000"):
        install.pull([big], agree, told, ())
    assert inside(weights.folder()) == [f"net/.big.pt.{big.sha256[:8]}.part"]
    assert not weights.is_installed("net/big")
    install.pull([big], agree, told)
    assert web.asked[-1][1]["Range"] == "bytes=1000-"
    assert inside(weights.folder()) == ["net/big.pt"]


def test_an_interrupted_pull_says_what_is_kept(known, web, told):
    def stop(_):
        raise KeyboardInterrupt

    web.faults = [web.cut(1000)]
    told.advance = stop
    with pytest.raises(KeyboardInterrupt):
        install.pull([known["net/big"]], agree, told)
    assert told.said == ["1,000 bytes of `net/big` are kept: the next pull goes on there"]
    del told.advance
    install.pull([known["net/big"]], agree, told)
    assert web.asked[-1][1]["Range"] == "bytes=1000-"


def test_a_wrong_file_leaves_nothing(known, web, told):
    web.put("net/big.pt", BIG[::-1])
    with pytest.raises(WeightsError, match=known["net/big"].sha256):
        install.pull([known["net/big"]], agree, told)
    assert inside(weights.folder()) == []


def test_a_second_pull_at_the_same_time_is_refused(known, web, told):
    web.faults = [web.halt(1000)]
    first = threading.Thread(target=install.pull, args=([known["net/big"]], agree, told))
    first.start()
    while not told.done:
        threading.Event().wait(0.01)
    with pytest.raises(OutputError, match=r"is writing `.*big\.pt` now"):
        install.pull([known["net/big"]], agree, told)
    install.pull([known["net/small"]], agree, told)
    web.go_on.set()
    first.join()
    assert len(web.asked) == 3
    assert inside(weights.folder()) == ["net/big.pt", "net/small.json"]


def test_room_is_looked_for_before_anything_is_fetched(known, web, told, monkeypatch):
    free = install.SPARE_BYTES + 299_999
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: Usage(free, 0, free))
    with pytest.raises(OutputError, match="room for 299,999 bytes, and 300,000 bytes are needed"):
        install.pull([known["net/big"]], agree, told)
    assert web.asked == []
    part = weights.place("net/big").with_name(f".big.pt.{known['net/big'].sha256[:8]}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG[:1])
    install.pull([known["net/big"]], agree, told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_disk_that_fills_up_is_said_so(known, told, monkeypatch):
    def fetch(*_):
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    monkeypatch.setattr(install.download, "fetch", fetch)
    with pytest.raises(OutputError, match=r"the disk is full: `.*big\.pt`") as caught:
        install.pull([known["net/big"]], agree, told)
    assert "XDG_CACHE_HOME" in caught.value.hint
    assert inside(weights.folder()) == []


def test_a_folder_that_cannot_be_made_is_said_so(known, told):
    weights.folder().parent.mkdir(parents=True)
    weights.folder().write_text("a file")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        install.pull([known["net/big"]], agree, told)
    assert "XDG_CACHE_HOME" in caught.value.hint


@pytest.mark.usefixtures("known")
def test_carried_files_are_known_by_their_hash(web, told, tmp_path):
    stick = tmp_path / "stick"
    (stick / "blobs").mkdir(parents=True)
    (stick / "blobs" / "0815").write_bytes(BIG)
    (stick / "config.json").write_bytes(SMALL)
    (stick / "other").write_bytes(b"x" * len(SMALL))
    done = install.add([stick], told)
    assert sorted(one.entry.name for one in done) == ["net/big", "net/small"]
    assert all(one.is_new for one in done)
    assert inside(weights.folder()) == ["net/big.pt", "net/small.json"]
    assert weights.verified("net/big").read_bytes() == BIG
    assert not any(one.is_new for one in install.add([stick / "config.json"], told))
    assert web.asked == []


@pytest.mark.usefixtures("known")
def test_other_files_are_not_added(told, tmp_path):
    with pytest.raises(InputError, match=r"`.*gone` is not there"):
        install.add([tmp_path / "gone"], told)
    with pytest.raises(WeightsError, match=r"has no file that `weights.lock` names, among 0"):
        install.add([tmp_path], told)
    bad = tmp_path / "big.pt"
    bad.write_bytes(BIG[:-1] + b"x")
    digest = hashlib.sha256(bad.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match=f"its sha256 is `{digest}`"):
        install.add([bad], told)
    with pytest.raises(WeightsError, match="among 1"):
        install.add([tmp_path], told)
    assert not weights.folder().exists()


def test_a_file_that_changes_while_it_is_copied_is_not_added(known, told, tmp_path, monkeypatch):
    path = tmp_path / "big.pt"
    path.write_bytes(BIG)
    digest = known["net/big"].sha256

    def change(*_):
        path.write_bytes(BIG[::-1])
        return digest

    monkeypatch.setattr(weights, "sha256", change)
    with pytest.raises(WeightsError, match="changed while it was copied"):
        install.add([path], told)
    assert inside(weights.folder()) == []


def test_all_that_is_wrong_is_named(known, told):
    install.pull(all_of(known), agree, told)
    assert len(install.verify(all_of(known), told)) == 2
    weights.place("net/big").write_bytes(b"x")
    weights.place("net/small").unlink()
    with pytest.raises(WeightsError) as caught:
        install.verify(all_of(known), told)
    assert known["net/big"].sha256 in caught.value.message
    assert "small.json` (500 bytes) is not installed" in caught.value.message
    assert caught.value.hint == "fetch again: `remover weights pull net/big net/small`"


def test_a_newer_lock_takes_no_part_of_an_older_one(known, web, told):
    big = known["net/big"]
    web.faults = [web.cut(1000)]
    with pytest.raises(WeightsError):
        install.pull([big], agree, told, ())
    newer = BIG[::-1]
    known["net/big"] = replace(
        big, url=web.put("newer", newer), sha256=hashlib.sha256(newer).hexdigest()
    )
    install.pull(all_of(known), agree, told)
    assert "Range" not in web.asked[1][1]
    assert inside(weights.folder()) == ["net/big.pt", "net/small.json"]
