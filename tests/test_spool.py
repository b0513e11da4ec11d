"""What comes through a pipe is in a file, or it is said why not."""

import errno
import io
import os

import pytest

from remover import files, spool
from remover.errors import InputError, OutputError


def test_all_of_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BLOCK", 3)
    assert spool.spooled(io.BytesIO(b"a video"), tmp_path).read_bytes() == b"a video"


def test_nothing_came(tmp_path):
    with pytest.raises(InputError, match="nothing came in"):
        spool.spooled(io.BytesIO(), tmp_path)


@pytest.mark.parametrize(
    ("number", "why"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"), (errno.EIO, "error")],
)
def test_there_is_no_room(number, why, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "write_all", refused)
    with pytest.raises(OutputError, match=f"cannot be copied to `.*`: .*{why}") as raised:
        spool.spooled(io.BytesIO(b"a video"), tmp_path)
    assert "TMPDIR" in raised.value.hint


def test_it_cannot_be_read(tmp_path):
    class Broken:
        def read(self, _count):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(InputError, match="the standard input cannot be read") as raised:
        spool.spooled(Broken(), tmp_path)
    assert raised.value.hint
