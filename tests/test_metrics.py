import importlib.util
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover import metrics


def pictures(seed: int, count: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(count)]


def test_a_perfect_result_has_perfect_figures():
    scorer = metrics.Scorer()
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    for clean in pictures(0):
        source = clean.copy()
        source[mask] = 255 - source[mask]
        scorer.add(clean, clean, source, mask, predicted=mask)
    score = scorer.result()
    assert score.psnr_mask == 100
    assert score.ssim_box == pytest.approx(1)
    assert (score.leftover, score.dtssd, score.outside) == (0, 0, 0)
    assert (score.recall, score.similarity) == (1, 1)


def test_an_untouched_input_is_all_left_over():
    scorer = metrics.Scorer()
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    clean = np.full((60, 80, 3), 50, np.uint8)
    source = clean.copy()
    source[mask] = 200
    scorer.add(source, clean, source, mask)
    score = scorer.result()
    assert score.leftover == 1
    assert score.psnr_mask == pytest.approx(20 * math.log10(255 / 150))
    assert math.isnan(score.recall)


def test_distances_of_features_are_averaged_over_the_frames_that_have_one():
    scorer = metrics.Scorer()
    mask = np.ones((60, 80), bool)
    for clean, features in zip(pictures(0), (1.0, None, 2.0, None), strict=True):
        scorer.add(clean, clean, clean, mask, features=features)
    assert scorer.result().features == 1.5
    assert math.isnan(metrics.Scorer().result().features)


@given(st.integers(0, 50), st.integers(0, 50))
def test_j_and_f_are_symmetric_and_bounded(a, b):
    first = np.random.default_rng(a).random((20, 30)) > 0.6
    second = np.random.default_rng(b).random((20, 30)) > 0.6
    for measure in (metrics.region_similarity, metrics.boundary_accuracy):
        assert 0 <= measure(first, second) <= 1
        assert measure(first, second) == pytest.approx(measure(second, first))
        assert measure(first, first) == 1


@pytest.mark.shared
def test_figures_equal_those_of_the_reference_scorer(shared):
    spec = importlib.util.spec_from_file_location("score", shared / "tools" / "score.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    case = reference.Case(shared / "bench" / "static-camera", flow=False)
    shown = [cv2.GaussianBlur(f, (5, 5), 0) for f in case.input]
    grown = [cv2.dilate(m.astype(np.uint8), np.ones((3, 3))) > 0 for m in case.masks]
    expected = case.score(shown, grown)
    scorer = metrics.Scorer()
    for i, clean in enumerate(case.clean):
        scorer.add(
            shown[i],
            clean,
            case.input[i],
            case.masks[i],
            effects=case.effects[i],
            predicted=grown[i],
        )
    score = scorer.result()
    assert score.psnr_mask == pytest.approx(expected["psnr_mask"], abs=1e-3)
    assert score.psnr_box == pytest.approx(expected["psnr_box"], abs=1e-3)
    assert score.ssim_box == pytest.approx(expected["ssim_box"], abs=1e-4)
    assert score.leftover == pytest.approx(expected["leftover"], abs=1e-4)
    assert score.dtssd == pytest.approx(expected["dtssd_mask"], abs=1e-3)
    assert score.outside == pytest.approx(expected["outside"]["m0"]["mean"], abs=1e-4)
    assert score.similarity == pytest.approx(expected["J"], abs=1e-4)
