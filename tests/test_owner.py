import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.owner import Life, Owner

hosts = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)


@given(hosts, st.integers(1, 2**31), st.integers(0, 10**11))
def test_a_name_can_be_read_back(host, pid, started):
    owner = Owner(host, pid, started)
    assert Owner.parse(str(owner)) == owner


@pytest.mark.parametrize("text", ["", "host", "host.1", "a/b.1-2", "host.x-2", "host.1-2.part"])
def test_other_texts_name_nobody(text):
    assert Owner.parse(text) is None


def test_this_process_lives():
    here = Owner.here()
    assert here.pid == os.getpid()
    assert here.life is Life.ALIVE


def test_a_process_that_ended_is_dead():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert replace(Owner.here(), pid=gone.pid).life is Life.DEAD


def test_a_number_that_is_used_again_is_another_process():
    assert replace(Owner.here(), started=Owner.here().started - 100).life is Life.DEAD


def test_nothing_is_known_of_other_hosts():
    assert replace(Owner.here(), host="other").life is Life.ELSEWHERE
