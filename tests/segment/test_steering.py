"""How SAM 2 is driven: options off or on, with random weights; nothing here speaks of quality."""

import numpy as np
import pytest
import torch
from small_sam2 import BOX, SIZE, SMALL, Noise, build

import remover
from remover.progress import Silent
from remover.segment import MaskStore, recall, sam2, steering
from remover.segment.again import CERTAIN, LONGEST, Look, Span, Waiting, join, packed, spoken
from remover.segment.bank import Bank, Found
from remover.segment.choose import Style
from remover.segment.follow import Task, follow
from remover.segment.hints import Hints
from remover.segment.judgement import Judgement
from remover.segment.recall import ANCHORS
from remover.types import Shot, Size

GATED, MOVING = Style(memory="gated"), Style(motion=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads only wait for each other at this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network():
    """A small network that takes every object to be in the picture."""
    return build()


@pytest.fixture
def bank_of(network):
    """A function that makes a bank with a box on a frame."""

    def make(style, frame=0, num_frames=24):
        bank = Bank(network, Noise(num_frames), Shot(0, num_frames), style)
        bank.prompt(1, frame, Hints(boxes=(BOX,)))
        return bank

    return make


def logits_of(bank, frames, *, backward=False):
    return [bank.step(1, frame, backward=backward).logits for frame in frames]


def test_styles_name_what_is_not_upstreams():
    assert str(Style()) == ""
    assert str(Style("gated", motion=True, refine=True)) == " gated, motion, refine"
    assert str(MOVING) == " motion"


def test_a_gate_that_lets_all_pass_is_upstreams_memory_bit_for_bit(bank_of, monkeypatch):
    monkeypatch.setattr(recall, "is_remembered", lambda _: True)
    monkeypatch.setattr(recall, "is_anchor", lambda *_: False)
    frames = range(24)
    plain, gated = (logits_of(bank_of(style), frames) for style in (Style(), GATED))
    assert all(torch.equal(one, other) for one, other in zip(plain, gated, strict=True))


def test_a_gate_that_lets_none_pass_leaves_the_prompted_frame(bank_of, network, monkeypatch):
    monkeypatch.setattr(recall, "is_remembered", lambda _: False)
    read = []
    attend = network.predictor.memory_attention.forward

    def counting(**given):
        read.append(given["memory"].shape[0] - given["num_obj_ptr_tokens"])
        return attend(**given)

    monkeypatch.setattr(network.predictor.memory_attention, "forward", counting)
    bank = bank_of(GATED)
    logits_of(bank, range(1, 12))
    assert set(read) == {64}  # the memory of one frame, 8 by 8
    assert bank.num_kept(1) == 1  # the latest, which points may mend
    logits_of(bank_of(Style()), range(1, 12))
    assert max(read) == 7 * 64


@pytest.mark.parametrize("style", [GATED, Style("gated", motion=True)], ids=str)
def test_gated_memory_is_bounded_both_ways(bank_of, network, monkeypatch, style):
    near = [0.5]
    monkeypatch.setattr(steering, "share_of_joint_box", lambda *_: near[0])
    monkeypatch.setattr("remover.segment.quality.MASK_SCORE", 0.0)
    monkeypatch.setattr("remover.segment.quality.ANCHOR_SCORE", 0.0)
    monkeypatch.setattr("remover.segment.quality.ANCHOR_AREA", 1e9)
    bank = bank_of(style, frame=45, num_frames=90)
    most = []
    for backward, frames in ((False, range(45, 90)), (True, range(44, -1, -1))):
        for frame in frames:
            found = bank.step(1, frame, backward=backward)
            assert torch.isfinite(found.logits).all()
            most.append(bank.num_kept(1))
    pointers = network.predictor.max_obj_ptrs_in_encoder - 1
    assert pointers < max(most) <= 2 * pointers + ANCHORS + 1


def test_the_candidate_with_the_largest_score_is_taken(bank_of, network, monkeypatch):
    plain = bank_of(Style()).step(1, 1)
    first = network.chosen
    ious = []
    for place in range(3):

        def only(candidates, scores, place=place):
            assert candidates.shape == (3, 32, 32)
            ious.append(scores)
            return [float(place == one) for one in range(3)]

        monkeypatch.setattr(steering.Steering, "weigh", property(lambda _, only=only: only))
        found = bank_of(Style()).step(1, 1)
        assert torch.equal(found.logits[0, 0], network.candidates[place])
        assert found.iou == pytest.approx(min(1.0, max(0.0, ious[-1][place])))
        assert torch.equal(found.logits, plain.logits) == (place == first)


def test_motion_weighs_once_it_is_steady(bank_of, monkeypatch):
    asked = []
    real = steering.motion_scores

    def noted(boxes, expected):
        asked.append(expected)
        return real(boxes, expected)

    monkeypatch.setattr(steering, "motion_scores", noted)
    monkeypatch.setattr(recall, "STEADY_SCORE", 0.0)
    plain = logits_of(bank_of(Style()), range(15))
    moving = bank_of(MOVING)
    assert all(map(torch.equal, plain, logits_of(moving, range(15))))
    assert not asked
    logits_of(moving, range(15, 20))
    assert len(asked) == 5


def test_a_box_is_shown_again_with_the_mask_that_it_gave(network):
    given = []
    encoder = network.predictor.sam_prompt_encoder
    hook = encoder.register_forward_pre_hook(
        lambda _, __, kwargs: given.append(kwargs), with_kwargs=True
    )
    try:
        once, twice = (
            Bank(network, Noise(3), Shot(0, 3), s) for s in (Style(), Style(refine=True))
        )
        first = once.prompt(1, 1, Hints(boxes=(BOX,)))
        given.clear()
        second = twice.prompt(1, 1, Hints(boxes=(BOX,)))
    finally:
        hook.remove()
    assert [one["masks"] is None for one in given] == [True, False]
    assert torch.equal(given[1]["masks"], first.logits.clamp(-32, 32))
    for one in given:
        points, labels = one["points"]
        expected = torch.tensor(BOX).reshape(1, 2, 2) / torch.tensor([140, 90]) * 128
        torch.testing.assert_close(points, expected)
        assert labels.tolist() == [[2, 3]]
    with torch.inference_mode():
        true, _ = network.predictor._run_single_frame_inference(
            inference_state=once.state,
            output_dict={"cond_frame_outputs": {}, "non_cond_frame_outputs": {}},
            frame_idx=1,
            batch_size=1,
            is_init_cond_frame=True,
            point_inputs={"point_coords": expected, "point_labels": torch.tensor([[2, 3]])},
            mask_inputs=None,
            reverse=False,
            run_mem_encoder=False,
            prev_sam_mask_logits=first.logits.clamp(-32, 32),
        )
    torch.testing.assert_close(second.logits, true["pred_masks"])
    assert not torch.equal(first.logits, second.logits)


def test_clicks_are_shown_once(network):
    one, other = (Bank(network, Noise(2), Shot(0, 2), s) for s in (Style(), Style(refine=True)))
    hints = Hints(clicks=((50.0, 45.0),))
    assert torch.equal(one.prompt(1, 0, hints).logits, other.prompt(1, 0, hints).logits)


@pytest.mark.parametrize("style", [Style(), GATED], ids=["recent", "gated"])
def test_tracking_again_leaves_no_trace(bank_of, style):
    one, other = bank_of(style), bank_of(style)
    logits_of(one, range(12))
    logits_of(other, range(12))
    again = list(other.again(1, [8, 7, 6, 5], [11, 10, 9], backward=True))
    assert [found.logits.shape for found in again] == [(1, 1, 32, 32)] * 4
    rest = [logits_of(bank, range(12, 16)) for bank in (one, other)]
    assert all(map(torch.equal, *rest))
    assert one.num_kept(1) == other.num_kept(1)


@pytest.fixture
def masks_of(network, make_clip, tmp_path, monkeypatch):
    """A function that makes masks of a clip by the command's way; gives the report and PNGs."""
    monkeypatch.setitem(sam2.CONFIGS, "tiny", SMALL)
    weights = tmp_path / "weights.pt"
    torch.save({"model": network.predictor.state_dict()}, weights)
    clip = make_clip(frames=6)

    def run(name, *, tracker="sam2:tiny", dilate=0, **options):
        report = remover.mask(
            clip.path,
            tmp_path / name,
            box=[clip.box],
            tracker=tracker,
            sam2_weights=str(weights),
            device="cpu",
            dilate=dilate,  # logits of random weights lie around 0: growth would take everything
            **options,
        )
        return report, [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]

    return run


def test_styles_are_in_the_report_and_in_the_key_of_kept_masks(masks_of):
    kept = "the masks are those of an earlier run with the same prompts"
    told = []

    class Told(Silent):
        def note(self, message):
            told.append(message)

    _, masks = masks_of("a", progress=Told())
    assert kept not in told
    _, same = masks_of("b", progress=Told())
    assert told.count(kept) == 1
    assert masks == same
    masks_of("grown", dilate=1, progress=Told())
    assert told.count(kept) == 1, "masks without any growth are others"
    masks_of("wider", dilate=2, progress=Told())
    assert told.count(kept) == 2
    told.clear()
    refined, other = masks_of("c", sam2_refine=True, progress=Told())
    assert kept not in told
    assert other != masks
    for style in ({"sam2_motion": True}, {"sam2_memory": "gated"}):
        report, _ = masks_of("-".join(style), **style, progress=Told())
        assert report.options | style == report.options
        assert kept not in told
    assert refined.options["sam2_refine"] is True
    assert not any("changes nothing" in warning for warning in refined.warnings)


def test_a_style_for_nobody_is_warned_of(masks_of):
    report, masks = masks_of("a", tracker="none", sam2_motion=True, sam2_memory="gated")
    assert [w for w in report.warnings if "sam2" in w] == [
        "`--sam2-memory gated` changes nothing: no object is followed by SAM 2",
        "`--sam2-motion` changes nothing: no object is followed by SAM 2",
    ]
    assert masks == masks_of("b", tracker="none")[1]


# --- spans that are tracked again ---

SIDE = Size(12, 16)


def look(confidence, *, pixels=1):
    mask = np.zeros(SIDE, np.bool_)
    mask[4, 4 : 4 + pixels] = True
    return Look(packed(mask), confidence)


def test_masks_wait_as_bits():
    mask = np.random.default_rng(3).random(SIDE) > 0.5
    np.testing.assert_array_equal(Look(packed(mask), 1.0).mask(SIDE), mask)
    assert not Look(packed(np.zeros(SIDE, np.bool_)), 0.5).mask(SIDE).any()


@pytest.mark.parametrize(
    ("there", "back", "place"),
    [
        ([0.4, 0.4, 0.1, 0.1], [0.1, 0.3, 0.3, 0.4], 2),
        ([0.4, 0.4], [0.4, 0.4], 2),
        ([0.1, 0.2], [0.4, 0.4], 0),
        ([0.3, 0.2], [0.1, 0.1], 2),
        ([0.0, 0.4, 0.0], [0.3, 0.2, 0.3], 0),
    ],
)
def test_the_join_gives_the_most_confidence(there, back, place):
    assert join(there, back) == place
    total = [sum(there[:n]) + sum(back[n:]) for n in range(len(there) + 1)]
    assert total[place] == pytest.approx(max(total))


def test_a_span_ends_with_sure_frames_or_a_prompt():
    span = Span()
    for frame, is_sure in enumerate([True, False, True, False, True, True]):
        span.add(frame, is_sure=is_sure, is_prompted=False)
    assert (span.unsure, span.sure, span.is_over) == ([1, 2, 3], [4, 5], False)
    span.add(6, is_sure=False, is_prompted=True)
    assert (span.sure, span.is_over) == ([4, 5, 6], True)


def test_frames_wait_only_for_spans_and_in_bounded_number():
    waiting = Waiting(0.5)
    written, most = [], 0
    for frame in range(300):
        waiting.add(frame, 1, look(0.9 if frame < 20 else 0.1), is_prompted=False)
        waiting.add(frame, 2, look(0.9), is_prompted=False)
        assert not waiting.over()
        written += [at for at, _ in waiting.settled()]
        most = max(most, len(waiting))
        assert len(waiting) == 0 or frame >= 20
    assert most == LONGEST
    written += [at for at, looks in waiting.settled(all_of_them=True) if len(looks) == 2]
    assert written == list(range(300))


def test_frames_as_people_say_them():
    assert spoken([9, 3, 4, 5, 12, 11]) == "3 to 5, 9, 11 to 12"


class Played:
    """A bank that finds what a script says: confidence by frame, on the way there and back."""

    size = Size(90, 140)

    def __init__(self, there, back, doubt=-0.4):
        self.there, self.back, self.doubt = there, back, doubt
        self.asked = []

    def found(self, iou, row):
        logits = torch.full((1, 1, 32, 32), -5.0)
        logits[..., row - 3 : row + 7, 7:19] = self.doubt  # -0.4: 40 % are inside
        logits[..., row : row + 4, 10:16] = 5.0
        return Found(logits, -1.0 if iou is None else 3.0, iou or 0.0)

    def prompt(self, *_):
        return self.found(1.0, 8)

    def step(self, _, frame, *, backward=False):  # noqa: ARG002 - as of a bank
        return self.found(self.there[frame], 8)

    def again(self, _, frames, seen, *, backward):
        self.asked.append((list(frames), list(seen), backward))
        for frame in frames:
            yield self.found(self.back[frame], 20)

    def forget_tracked(self):
        """Nothing is kept."""


@pytest.fixture
def played(monkeypatch, tmp_path):
    """A function that follows with a script; gives rows of masks, the judgement and the script."""

    def run(there, back, prompted=0, first=0, doubt=-0.4, *, grow=True):
        num_frames = first + len(there)
        bank = Played(there, back, doubt)
        monkeypatch.setattr("remover.segment.follow.Bank", lambda *_: bank)
        judgement = Judgement.begun(num_frames, {})
        task = Task(Shot(first, num_frames), {1: {first + prompted: Hints(boxes=(BOX,))}})
        with MaskStore(tmp_path, SIZE, num_frames) as store:
            follow(None, Noise(num_frames), [task], store, judgement, Silent(), grow=grow)
            boxes = [store.box(i) for i in range(first, num_frames)]
        rows = [box and (box.top + box.bottom) // 2 for box in boxes]
        bank.heights = [box and box.size.height for box in boxes]
        return rows, judgement, bank

    return run


def test_an_unsure_span_is_tracked_back_and_its_better_part_kept(played):
    there = [1.0, 0.9, 0.4, 0.4, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9]
    back = [0, 0, 0.1, 0.3, 0.3, 0.45, 0, 0, 0, 0]
    rows, judgement, bank = played(there, back, first=7)
    assert bank.asked == [([5, 4, 3, 2], [8, 7, 6], True)]
    high, low = rows[0], rows[4]
    assert low > high
    assert rows == [high] * 4 + [low] * 2 + [high] * 4
    np.testing.assert_allclose(judgement.confidence[11:13], [0.3, 0.45], atol=1e-6)
    (note,) = judgement.notes
    assert note == (
        "object 1 was unsure on frames 9 to 12 and tracked there again, from the other side: "
        "2 of 4 masks are from that"
    )


def test_a_lost_object_that_is_found_from_the_other_side_is_not_lost(played):
    there = [1.0, 0.9, None, None, 0.9, 0.9, 0.9]
    rows, judgement, _ = played(there, [0, 0, None, 0.8, 0, 0, 0])
    assert rows[2] is None
    assert rows[3] is not None
    assert judgement.is_lost.tolist() == [False, False, True, False, False, False, False]
    assert judgement.confidence[2] == 0


def test_on_the_way_back_the_other_side_is_before(played):
    there = [0.9, 0.9, 0.9, 0.2, 0.2, 0.9, 1.0, 0.9]
    _, _, bank = played(there, [0.3] * 8, prompted=6)
    assert bank.asked == [([3, 4], [0, 1, 2], False)]


def test_masks_are_widened_where_places_are_unsure_however_sure_the_frame_is(played):
    there, back = [1.0, 0.9, 0.2, 0.9, 0.2, 0.2], [0.1] * 6
    _, _, bank = played(there, back, grow=False)
    tracked = bank.heights
    assert tracked == [tracked[0]] * 6
    _, _, bank = played(there, back)
    assert bank.heights[0] == tracked[0], "nothing grows where one pointed"
    assert bank.heights[1:] == [bank.heights[1]] * 5
    assert bank.heights[1] >= tracked[0] + 10  # three pixels of the logits on each side


def test_masks_are_not_widened_where_every_place_is_sure(played):
    there, back = [1.0, 0.9, 0.2, 0.9, 0.2, 0.2], [0.1] * 6
    _, _, tracked = played(there, back, doubt=-5.0, grow=False)
    _, _, grown = played(there, back, doubt=-5.0)
    assert grown.heights == tracked.heights


def test_what_never_gets_sure_again_is_left_as_it_is(played):
    rows, judgement, bank = played([1.0, 0.9, 0.2, 0.9, 0.2, 0.9, 0.9], [0.9] * 7)
    assert CERTAIN == 3
    assert bank.asked == []
    assert judgement.notes == []
    assert len(set(rows)) == 1
