"""Who paints what."""

import pytest

from remover.errors import UsageError
from remover.fill import PAINTER, PAINTER_LICENCE
from remover.options import CleanOptions, ObjectOptions
from remover.painters import Painters, choose_painters, idle_settings
from remover.prompts import parse_box, parse_keep

TWO = [parse_box("1,2,3,4"), parse_box("5,6,7,8#2"), parse_keep("hand.png")]


def test_the_classic_painter_paints_all_where_nothing_else_is_there():
    found = choose_painters(TWO, CleanOptions())
    assert found == Painters(names={1: PAINTER, 2: PAINTER})
    assert (found.name, found.licence, found.key) == (PAINTER, PAINTER_LICENCE, "classic")


def test_one_network_paints_all(checkpoint):
    found = choose_painters(TWO, CleanOptions(weights=str(checkpoint), copy="off"))
    assert found.network is not None
    assert found.objects is None
    assert not found.copies
    assert (found.name, found.licence) == ("small", "that of the weights")
    assert found.network.sha256["small:vae"] in found.key


def test_objects_may_have_painters_of_their_own(checkpoint):
    own = (ObjectOptions(number=2, painter="small"),)
    options = CleanOptions(painter="classic", weights=str(checkpoint), objects=own)
    found = choose_painters(TWO, options)
    assert found.objects == {2}
    assert found.name == f"{PAINTER}, small"
    assert found.licence == f"{PAINTER_LICENCE}, that of the weights"
    assert found.key != choose_painters(TWO, CleanOptions(weights=str(checkpoint))).key


def test_two_networks_are_refused(checkpoint):
    own = (ObjectOptions(number=2, painter="minimax"),)
    options = CleanOptions(painter="small", weights=str(checkpoint), objects=own)
    with pytest.raises(UsageError, match="`minimax` and `small`"):
        choose_painters(TWO, options)


def test_settings_without_effect_are_named(checkpoint):
    options = CleanOptions(steps=12, joins="blend", dtype="fp16")
    assert idle_settings(Painters(), options) == (
        "`--steps 12` has no effect: no network paints",
        "`--joins blend` has no effect: no network paints",
        "`--dtype fp16` has no effect: no network paints",
    )
    assert idle_settings(Painters(), CleanOptions()) == ()
    network = choose_painters(TWO, CleanOptions(weights=str(checkpoint)))
    assert idle_settings(network, options) == ()
