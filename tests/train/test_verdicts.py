import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.errors import InputError, OutputError
from remover.train import verdicts
from remover.train.verdicts import Verdict

TIME = "2025-01-31T12:00:00+00:00"


def entry(key: str = "a", **changes: object) -> dict[str, object]:
    videos = {kind: f"videos/{key}.{kind}.mp4" for kind in verdicts.KINDS}
    return {"id": key, "clip": "x", "frames": 9, "size": [48, 64], "fps": 8, **videos, **changes}


def write(folder: Path, *entries: object) -> Path:
    (folder / "samples.json").write_text(json.dumps({"schema": 1, "items": list(entries)}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, entry("a"), entry("b"), entry("c"))


def lines(folder: Path) -> bytes:
    return (folder / "verdicts.jsonl").read_bytes()


def test_items_are_those_of_samples_json_in_order(folder):
    found = verdicts.items(folder)
    assert [item.id for item in found] == ["a", "b", "c"]
    assert (found[1].size, found[1].fps, found[1].frames) == ((48, 64), 8.0, 9)
    assert found[1].video("overlay") == "videos/b.overlay.mp4"


def test_a_verdict_is_a_line_that_says_who_and_when(folder):
    verdicts.append(folder, Verdict("b", "yes", "truth", TIME))
    assert json.loads(lines(folder)) == {"id": "b", "verdict": "yes", "by": "truth", "time": TIME}
    assert lines(folder).endswith(b"\n")
    assert verdicts.read(folder) == {"b": Verdict("b", "yes", "truth", TIME)}
    assert verdicts.accepted(folder) == {"b"}


def test_without_verdicts_nothing_is_accepted(folder):
    assert verdicts.read(folder) == {}
    assert verdicts.accepted(folder) == set()


def test_the_last_line_of_an_id_counts_and_undo_takes_back(folder):
    verdicts.append(folder, Verdict("a", "yes"), Verdict("b", "yes"), Verdict("c", "no"))
    verdicts.append(folder, Verdict("a", "no"))
    assert list(verdicts.read(folder)) == ["b", "c", "a"]
    assert verdicts.accepted(folder) == {"b"}
    verdicts.append(folder, Verdict("b", "undo"))
    assert list(verdicts.read(folder)) == ["c", "a"]
    assert verdicts.accepted(folder) == set()


SAID = st.tuples(st.sampled_from("abc"), st.sampled_from(["yes", "no", "skip", "undo"]))


@settings(max_examples=25)
@given(st.lists(SAID, max_size=12))
def test_what_was_said_last_is_what_is_read(tmp_path_factory, said):
    folder = write(tmp_path_factory.mktemp("samples"), entry("a"), entry("b"), entry("c"))
    for key, verdict in said:
        verdicts.append(folder, Verdict(key, verdict))
    wanted = {key: verdict for key, verdict in dict(said).items() if verdict != "undo"}
    assert {key: one.verdict for key, one in verdicts.read(folder).items()} == wanted
    assert verdicts.accepted(folder) == {key for key, one in wanted.items() if one == "yes"}


@pytest.mark.parametrize("length", range(1, 20, 3))
def test_a_line_that_was_cut_off_is_ignored_and_goes_with_the_next(folder, length):
    verdicts.append(folder, Verdict("a", "yes"))
    before = lines(folder)
    with (folder / "verdicts.jsonl").open("ab") as file:
        file.write(b'{"id": "b", "verdict": "yes"'[:length])
    assert list(verdicts.read(folder)) == ["a"]
    verdicts.append(folder, Verdict("c", "no", "person", TIME))
    assert lines(folder).startswith(before)
    assert lines(folder).count(b"\n") == 2
    assert list(verdicts.read(folder)) == ["a", "c"]


def test_a_line_that_lacks_its_end_alone_counts(folder):
    """As an editor may leave it."""
    text = json.dumps({"id": "a", "verdict": "yes", "by": "person", "time": TIME})
    (folder / "verdicts.jsonl").write_text(text)
    assert verdicts.accepted(folder) == {"a"}
    verdicts.append(folder, Verdict("b", "yes"))
    assert verdicts.accepted(folder) == {"a", "b"}


def test_a_full_disk_leaves_what_was_there(folder, monkeypatch):
    verdicts.append(folder, Verdict("a", "yes"))
    before = lines(folder)
    write_to = os.write
    monkeypatch.setattr(os, "write", lambda to, content: write_to(to, content[:10]))
    with pytest.raises(OutputError, match=r"the disk is full.*verdicts\.jsonl"):
        verdicts.append(folder, Verdict("b", "yes"))
    assert lines(folder) == before


def test_a_disk_that_fails_late_leaves_what_was_there(folder, monkeypatch):
    verdicts.append(folder, Verdict("a", "yes"))
    before = lines(folder)

    def fail(_descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"verdicts\.jsonl` cannot be written"):
        verdicts.append(folder, Verdict("b", "yes"))
    assert lines(folder) == before


def test_a_verdict_is_on_the_disk_when_append_returns(folder, monkeypatch):
    synced = []
    sync = os.fsync

    def note(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not tell which file a descriptor is")
    monkeypatch.setattr(os, "fsync", note)
    verdicts.append(folder, Verdict("a", "yes"))
    verdicts.append(folder, Verdict("b", "yes"))
    assert synced == ["verdicts.jsonl", folder.name, "verdicts.jsonl"]


def test_a_verdict_about_no_sample_is_refused(folder):
    with pytest.raises(InputError, match=r"`d` is no sample of"):
        verdicts.append(folder, Verdict("a", "yes"), Verdict("d", "yes"))
    assert not (folder / "verdicts.jsonl").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("yes", "line 2 of .* is damaged: `yes`"),
        ("[]", "line 2 of .* is damaged"),
        ('{"id": "a"}', "line 2 of .* is damaged"),
        ('{"id": "a", "verdict": "yes", "colour": 1}', "line 2 of .* is damaged"),
        ('{"id": "a", "verdict": "yess"}', "`verdict` in line 2 of .* is `yess`"),
        ('{"id": "a", "verdict": "no", "by": "me"}', "`by` in line 2 of .* is `me`"),
        ('{"id": "z", "verdict": "no"}', "line 2 of .* is about `z`, which is not in"),
        ('{"id": ["z"], "verdict": "no"}', "line 2 of .* is damaged"),
    ],
)
def test_a_damaged_verdict_is_named(folder, line, said):
    verdicts.append(folder, Verdict("a", "yes"))
    with (folder / "verdicts.jsonl").open("a") as file:
        file.write(f"{line}\n")
    verdicts.append(folder, Verdict("b", "yes"))
    with pytest.raises(InputError, match=said):
        verdicts.read(folder)


def test_a_folder_that_is_no_samples_folder(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=r"is no samples folder: it has no `samples\.json`"):
            verdicts.items(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", r"samples\.json` is damaged: "),
        (b"\xff\xfe\x00", r"samples\.json` is damaged: "),
        (b"[]", "it has no list `items`"),
        (b'{"schema": 1, "items": {}}', "it has no list `items`"),
        (b'{"schema": 2, "items": [1]}', "has the schema `2`, and this version reads `1`"),
        (b'{"schema": 1, "items": []}', "lists no samples"),
        (b'{"schema": 1, "items": [7]}', r"item 1 of .*samples\.json` is `7`"),
    ],
)
def test_what_is_wrong_with_samples_json_is_said(tmp_path, text, said):
    (tmp_path / "samples.json").write_bytes(text)
    with pytest.raises(InputError, match=said):
        verdicts.items(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", "../a"),
        ("id", ".a"),
        ("id", "a\n"),
        ("id", 7),
        ("clip", None),
        ("frames", 0),
        ("frames", True),
        ("frames", 9.0),
        ("size", [48]),
        ("size", [48, -1]),
        ("size", "48x64"),
        ("fps", 0),
        ("fps", float("nan")),
        ("fps", "24"),
        ("result", "/etc/passwd.mp4"),
        ("result", "../a.mp4"),
        ("result", "videos/../../a.mp4"),
        ("result", "videos\\a.mp4"),
        ("result", "C:a.mp4"),
        ("result", "samples.json"),
        ("result", "a\0.mp4"),
        ("result", 3),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path, name, value):
    write(tmp_path, entry("a"), entry("b") | {name: value})
    with pytest.raises(InputError, match=f"`{name}` of item 2 of ") as caught:
        verdicts.items(tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["id", "clip", "frames", "size", "fps", "original", "result"])
def test_a_value_that_is_missing_is_named(tmp_path, name):
    write(tmp_path, {key: value for key, value in entry().items() if key != name})
    with pytest.raises(InputError, match=f"item 1 of .* has no `{name}`"):
        verdicts.items(tmp_path)


def test_an_id_that_comes_twice_is_named(tmp_path):
    write(tmp_path, entry("a"), entry("a"))
    with pytest.raises(InputError, match=r"item 2 of .* has the id `a`, which an earlier one has"):
        verdicts.items(tmp_path)
