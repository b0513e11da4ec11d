import pytest

import remover
from remover.api import _options, _prompts
from remover.types import Moment, Prompt


def test_prompts_are_texts_or_numbers():
    found = _prompts(box=[(1, 2, 3, 4)], click=["5,6@7#2"], avoid=[], mask=["a.png"])
    assert [p.kind for p in found] == ["box", "click", "mask"]
    assert found[0].values == (1, 2, 3, 4)
    assert (found[1].moment, found[1].object_id) == (Moment(frame=7), 2)
    assert isinstance(found[2], Prompt)


def test_options_are_those_of_the_command():
    options = _options({"dilate": 3, "start": "45"})
    assert (options.dilate, options.start) == (3, Moment(frame=45))
    with pytest.raises(remover.UsageError, match="unknown option `dilat`"):
        _options({"dilat": 3})
    with pytest.raises(remover.UsageError, match="--dilate"):
        _options({"dilate": -3})


def test_nothing_pointed_at_is_an_error(tmp_path):
    with pytest.raises(remover.UsageError, match="nothing to remove"):
        remover.clean(tmp_path / "a.mp4", tmp_path / "b.mp4")
