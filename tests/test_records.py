"""Records come back as they were, as far as the file is whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remover import records


def write(path, count, keep=0):
    file = records.RecordFile(path, keep)
    for number in range(count):
        file.append(b"a", {"n": np.array(number), "map": np.full((3, number), number, np.uint8)})
    file.close()


def numbers(path, stop=None):
    return [int(record.arrays["n"]) for record in records.read(path, stop)]


def test_they_come_back_as_they_were(tmp_path):
    path = tmp_path / "r"
    write(path, 4)
    found = list(records.read(path))
    assert [r.kind for r in found] == [b"a"] * 4
    assert found[3].arrays["map"].tolist() == [[3] * 3] * 3
    assert found[-1].end == path.stat().st_size
    assert numbers(path, found[1].end) == [0, 1]


def test_a_file_that_is_not_there_has_none(tmp_path):
    assert list(records.read(tmp_path / "r")) == []


def test_writing_goes_on_after_what_is_kept(tmp_path):
    path = tmp_path / "r"
    write(path, 4)
    second = list(records.read(path))[1].end
    write(path, 1, keep=second)
    assert numbers(path) == [0, 1, 0]


@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_reading_stops_where_the_file_is_cut_or_damaged(tmp_path_factory, share, is_cut):
    path = tmp_path_factory.mktemp("records") / "r"
    write(path, 5)
    ends = [record.end for record in records.read(path)]
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    if is_cut:
        del content[place:]
    else:
        content[place] ^= 0x10
    path.write_bytes(content)
    whole = sum(end <= place for end in ends)
    assert numbers(path) == list(range(whole))
