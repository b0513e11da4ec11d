import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remover import linear

LIGHT = st.floats(linear.LOWEST, linear.HIGHEST, width=32)


def of(*values) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_marks_of_the_curve():
    assert np.allclose(linear.encoded(of(0, 1)), [1 / 16, 1 / 2])
    assert np.allclose(linear.decoded(of(0, 1 / 16, 1 / 2, 1)), [-0.018, 0, 1, 969.4], rtol=1e-3)
    odd = linear.encoded(of(np.nan, np.inf, -np.inf, 1e30, -5))
    assert np.allclose(odd, of(1 / 16, 1, 0, 1, 0), atol=1e-6)


@given(LIGHT)
def test_sixteen_bits_keep_the_light(light):
    level = linear.encoded(of(light))
    assert 0 <= level[0] <= 1
    stored = np.rint(level * np.float32(65535)) / np.float32(65535)
    error = abs(float(linear.decoded(stored)[0]) - light)
    assert error <= 1.3e-4 * abs(light) if light > 1 else error <= 6e-5


@given(LIGHT, LIGHT)
def test_the_curve_rises(a, b):
    low, high = linear.encoded(of(min(a, b), max(a, b)))
    assert low <= high
    if max(a, b) - min(a, b) > 1e-4 * max(1.0, abs(a), abs(b)):
        assert low < high


def test_every_half_float_has_the_level_of_its_value():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    levels = linear.encoded(halves.reshape(256, 256)[:, ::2])
    with np.errstate(invalid="ignore"):
        wanted = linear.encoded(halves.astype(np.float32))
    assert np.array_equal(levels, wanted.reshape(256, 256)[:, ::2])
    order = np.sort(halves[np.isfinite(halves)])
    assert (np.diff(linear.encoded(order)) >= 0).all()


def test_what_is_shown_is_srgb():
    shown = linear.shown(of(0, 0.5, 1, 40, -1, np.nan, np.inf))
    assert np.allclose(shown, [0, 0.735357, 1, 1, 0, 0, 1], atol=1e-5)
    half = linear.shown(np.arange(1 << 16, dtype=np.uint16).view(np.float16))
    assert half.min() == 0
    assert 0.999999 < half.max() <= 1
    inside = np.linspace(0, 1, 999, dtype=np.float32)
    scaled = (linear.encoded(inside) - linear.BLACK) / linear.SPAN
    assert np.allclose(linear.shown(inside), scaled, atol=1e-6)
