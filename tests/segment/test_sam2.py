"""SAM 2 with random weights at a small size, against the library's own unbounded predictor."""

import hashlib
import json
import subprocess
import sys
import textwrap
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small_sam2 import BOX, SIZE, SMALL, Noise, build

from remover.errors import DeviceError, InputError, WeightsError
from remover.progress import Silent
from remover.segment import MaskStore, Sam2, sam2, segment
from remover.segment.bank import Bank, Found, Frames, fill_holes, to_mask
from remover.segment.cost import sam2_cost
from remover.segment.cut import discs
from remover.segment.follow import confidence
from remover.segment.hints import Hints
from remover.types import MaskPrompt, PointPrompt, Shot, Size


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
def sizes(monkeypatch):
    """A ``tiny`` that is small enough for tests."""
    monkeypatch.setitem(sam2.CONFIGS, "tiny", SMALL)


def unbounded(network, pictures, prompts):
    """Logits by pass and frame from upstream's own loop, which forgets nothing."""
    predictor = network.predictor
    bank = Bank(network, pictures, Shot(0, pictures.num_frames))
    state = bank.state
    for frame, box in prompts:
        predictor.add_new_points_or_box(state, frame, 1, box=box)
    found = {}
    for backward in (False, True):
        passed = predictor.propagate_in_video(state, min(f for f, _ in prompts), reverse=backward)
        for frame, _, logits in passed:
            found[backward, frame] = logits
    return found


@pytest.mark.parametrize(
    "prompted", [(0,), (39,), (20,), (12, 30)], ids=["forward", "reverse", "both", "two frames"]
)
def test_bounded_memory_changes_no_bit(network, prompted):
    pictures = Noise(40)
    true = unbounded(network, pictures, [(frame, BOX) for frame in prompted])
    bank = Bank(network, pictures, Shot(0, 40))
    for frame in prompted:
        bank.prompt(1, frame, Hints(boxes=(BOX,)))
    first, most = min(prompted), 0
    frames = [(False, f) for f in range(first, 40)] + [(True, f) for f in range(first, -1, -1)]
    compared = 0
    for backward, frame in frames:
        found = bank.step(1, frame, backward=backward)
        if (backward, frame) in true:
            wide = torch.nn.functional.interpolate(found.logits, tuple(SIZE), mode="bilinear")
            assert torch.equal(wide, true[backward, frame]), (backward, frame)
            compared += 1
        most = max(most, bank.num_kept(1))
    assert compared == len(true) >= 40
    assert most <= 2 * bank.reach + 1


def test_memory_does_not_grow_with_the_length(network):
    bank = Bank(network, Noise(70), Shot(0, 70))
    bank.prompt(1, 0, Hints(boxes=(BOX,)))
    kept = []
    for frame in range(1, 70):
        bank.step(1, frame)
        kept.append(bank.num_kept(1))
    assert kept[-1] == max(kept) == 2 * bank.reach + 1
    assert len(bank.state["frames_tracked_per_obj"][0]) == 1


def test_pictures_are_what_upstream_loads(tmp_path):
    from sam2.utils.misc import load_video_frames_from_jpg_images

    for index, picture in enumerate(Noise(5).read(0, 5)):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), picture[..., ::-1])

    class Decoded:
        num_frames, size = 5, SIZE

        def read(self, start, stop):
            from PIL import Image

            for index in range(start, stop):
                with Image.open(tmp_path / f"{index}.jpg") as image:
                    yield np.asarray(image.convert("RGB"))

    true, height, width = load_video_frames_from_jpg_images(
        str(tmp_path), 128, offload_video_to_cpu=True
    )
    assert (height, width) == SIZE
    frames = Frames(Decoded(), Shot(0, 5), 128)
    assert len(frames) == 5
    for index in (0, 1, 2, 4, 3, 2, 0):
        assert torch.equal(frames[index], true[index])


def test_pictures_are_read_once_in_order_and_in_blocks_backwards():
    pictures = Noise(50)
    frames = Frames(pictures, Shot(10, 50), 64)
    forward = [frames[index] for index in range(40)]
    assert pictures.reads == [(10, 50)]
    for index in range(39, -1, -1):
        assert torch.equal(frames[index], forward[index])
    assert len(pictures.reads) == 4
    assert max(stop - start for start, stop in pictures.reads[1:]) == 16
    deep = Frames(Noise(50, dtype=np.uint16), Shot(10, 50), 64)
    assert torch.equal(deep[3], forward[3])


@pytest.mark.parametrize("size", ["tiny", "small", "base-plus", "large"])
def test_the_sizes_are_those_of_upstream(size, monkeypatch):
    # Weights are not drawn: only shapes and settings count, and drawing takes seconds.
    monkeypatch.setattr(torch.nn.init, "trunc_normal_", lambda tensor, **_: tensor)
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", lambda tensor, **_: tensor)
    from hydra import compose, initialize_config_module
    from hydra.core.global_hydra import GlobalHydra
    from hydra.utils import instantiate

    ours = sam2.build(sam2.CONFIGS[size]).predictor
    assert not GlobalHydra.instance().is_initialized()
    letters = {"tiny": "t", "small": "s", "base-plus": "b+", "large": "l"}
    with initialize_config_module("sam2", version_base="1.2"):
        settings = compose(f"configs/sam2.1/sam2.1_hiera_{letters[size]}.yaml").model
        settings["_target_"] = "sam2.sam2_video_predictor.SAM2VideoPredictor"
        true = instantiate(settings, _recursive_=True)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (ours, true)]
    assert shapes[0] == shapes[1]
    ours_only = {
        "add_all_frames_to_correct_as_cond",
        "binarize_mask_from_pts_for_mem_enc",
        "sam_mask_decoder_extra_args",
    }
    plain = [
        {k: v for k, v in vars(m).items() if isinstance(v, int | float | dict | tuple)}
        for m in (ours, true)
    ]
    for name in plain[1].keys() - ours_only:
        if not name.startswith("_") and name != "training":
            assert plain[0][name] == plain[1][name], name
    trunks = [m.image_encoder.trunk for m in (ours, true)]
    assert [b.window_size for b in trunks[0].blocks] == [b.window_size for b in trunks[1].blocks]


@pytest.mark.usefixtures("sizes")
def test_checkpoints(network, tmp_path):
    weights = network.predictor.state_dict()
    good = tmp_path / "good.pt"
    torch.save({"model": weights}, good)
    for size in ("tiny", None):
        found, loaded = sam2.load(good, size, "cpu")
        assert found == "tiny"
        assert loaded.predictor.state_dict().keys() == weights.keys()
    lacking = {k: v for k, v in weights.items() if k != "no_mem_embed"}
    torch.save({"model": lacking}, tmp_path / "lacking.pt")
    with pytest.raises(WeightsError, match=r"1 weights are .* as `no_mem_embed`"):
        sam2.load(tmp_path / "lacking.pt", "tiny", "cpu")
    with pytest.raises(WeightsError, match="is of `sam2:tiny`, not `sam2:large`"):
        sam2.load(good, "large", "cpu")
    torch.save({"model": {"x": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"no size of SAM 2\.1"):
        sam2.load(tmp_path / "other.pt", None, "cpu")


class Trap:
    def __reduce__(self):
        return (print, ("opened",))


@pytest.mark.parametrize("content", [b"", b"no pickle", b"trap"])
def test_other_files_are_not_opened(content, tmp_path, capsys):
    path = tmp_path / "odd.pt"
    path.write_bytes(content)
    if content == b"trap":
        torch.save({"model": Trap()}, path)
    with pytest.raises(WeightsError, match="is no checkpoint of SAM 2"):
        sam2.load(path, "tiny", "cpu")
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def track(network, sizes, tmp_path):  # noqa: ARG001 - `tiny` is small
    """A function that tracks and returns the label maps and the account.

    Logits of random weights lie around 0, so growth would take the whole picture.
    """
    path = tmp_path / "weights.pt"
    torch.save({"model": network.predictor.state_dict()}, path)

    def run(pictures, prompts, shots=None, *, grow=False):
        shots = shots or [Shot(0, pictures.num_frames)]
        with MaskStore(tmp_path, SIZE, pictures.num_frames) as store:
            chosen = Sam2("tiny", path, "cpu")
            done = segment(
                pictures, prompts, shots, store, tracker=chosen, progress=Silent(), grow=grow
            )
            return [store.get(i) for i in range(pictures.num_frames)], done

    return run


def box_on(frame, object_id=1, box=BOX):
    return PointPrompt("box", frame, object_id, box=box)


def point_on(kind, frame, point, object_id=1):
    return PointPrompt(kind, frame, object_id, point=point)


def test_prompts_of_every_kind_and_several_objects(track):
    mask = np.zeros(SIZE, np.bool_)
    mask[10:40, 100:130] = True
    labels, done = track(
        Noise(8),
        [
            box_on(2),
            point_on("avoid", 2, (35.0, 25.0)),
            point_on("click", 6, (56.0, 45.0)),
            MaskPrompt(5, 2, mask),
            point_on("avoid", 1, (120.0, 15.0), object_id=2),
            box_on(4, object_id=3, box=(0.0, 0.0, 20.0, 20.0)),
            box_on(4, object_id=3, box=(60.0, 60.0, 90.0, 90.0)),
        ],
    )
    assert done.tracker == "sam2:tiny"
    assert not done.lost
    assert (labels[5][mask] == 2).sum() >= 0.5 * mask.sum()
    assert all((frame == 1).any() for frame in labels)
    assert done.confidence.shape == (8,)
    assert ((done.confidence >= 0) & (done.confidence <= 1)).all()


def test_what_is_tracked_is_what_the_memory_gives(track, network):
    pictures = Noise(6)
    labels, _ = track(pictures, [box_on(3)])
    bank = Bank(network, pictures, Shot(0, 6))
    bank.prompt(1, 3, Hints(boxes=(BOX,)))
    for backward, frame in ((False, 3), (False, 4), (False, 5), (True, 2), (True, 1), (True, 0)):
        mask = to_mask(bank.step(1, frame, backward=backward).logits, SIZE)
        np.testing.assert_array_equal(labels[frame] == 1, mask)


def test_growth_holds_what_was_tracked_and_leaves_prompted_frames_alone(track):
    prompts = [box_on(1), MaskPrompt(3, 1, np.tri(*SIZE, dtype=bool))]
    tracked, _ = track(Noise(5), prompts)
    grown, _ = track(Noise(5), prompts, grow=True)
    for index in (1, 3):
        np.testing.assert_array_equal(grown[index], tracked[index])
    assert all((one >= other).all() for one, other in zip(grown, tracked, strict=True))
    assert any((one > other).any() for one, other in zip(grown, tracked, strict=True))


def test_the_disc_of_a_click_is_always_in_its_mask(track):
    maps, _ = track(Noise(3), [point_on("click", 1, (20.0, 70.0))])
    assert (maps[1] == 1)[discs([(20.0, 70.0)], SIZE)].all()


def test_a_click_mends_what_was_tracked_and_conditions_the_rest(track):
    plain, _ = track(Noise(7), [box_on(1)])
    mended, _ = track(Noise(7), [box_on(1), point_on("avoid", 5, (60.0, 45.0))])
    np.testing.assert_array_equal(plain[1], mended[1])
    assert (plain[5] != mended[5]).any()
    assert (plain[3] != mended[3]).any()


def test_nothing_crosses_a_cut(track):
    labels, done = track(Noise(9), [box_on(1)], [Shot(0, 4), Shot(4, 9)])
    assert done.lost == (Shot(4, 9),)
    assert all((frame == 1).any() for frame in labels[:4])
    assert not any(frame.any() for frame in labels[4:])
    alone, _ = track(Noise(4), [box_on(1)])
    for one, other in zip(labels[:4], alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_confidence_is_what_the_network_says(network):
    head = network.predictor.sam_mask_decoder.pred_obj_score_head.layers[-1].bias
    mask = np.zeros(SIZE, np.bool_)
    mask[30:60, 40:80] = True
    with torch.no_grad():
        head.fill_(-9.0)
    try:
        bank = Bank(network, Noise(4), Shot(0, 4))
        bank.prompt(1, 1, Hints(mask=mask))
        found = bank.step(1, 2)
    finally:
        with torch.no_grad():
            head.fill_(3.0)
    assert found.score < 0
    assert confidence(found) > 0.9
    assert confidence(replace(found, score=2.0, iou=0.25)) == 0.25


def test_wrong_prompts_are_errors(track):
    with pytest.raises(InputError, match="object `1` has only points to avoid on frame `2`"):
        track(Noise(4), [point_on("avoid", 2, (50.0, 40.0))])
    empty = MaskPrompt(1, 1, np.zeros(SIZE, np.bool_))
    with pytest.raises(InputError, match="nothing was found where object `1`"):
        track(Noise(4), [empty])


def test_from_a_video_to_masks(network, make_clip, tmp_path, monkeypatch):
    import remover

    monkeypatch.setitem(sam2.CONFIGS, "tiny", SMALL)
    weights = tmp_path / "weights.pt"
    torch.save({"model": network.predictor.state_dict()}, weights)
    clip = make_clip(frames=6)
    report = remover.mask(
        clip.path,
        tmp_path / "masks",
        box=[clip.box],
        tracker="sam2:auto",
        sam2_weights=str(weights),
        device="cpu",
    )
    assert report.tracker == "sam2:tiny"
    assert report.frames_without_mask == 0
    assert len(list((tmp_path / "masks").iterdir())) == 6


def test_small_holes_are_filled():
    logits = np.full((40, 40), 5.0, np.float32)
    logits[4:6, 4:8] = -3  # 8 pixels
    logits[20:23, 20:23] = -3  # 9 pixels
    filled = fill_holes(logits)
    assert (filled[4:6, 4:8] > 0).all()
    np.testing.assert_array_equal(filled[20:23, 20:23], logits[20:23, 20:23])
    found = Found(torch.from_numpy(logits)[None, None], 1.0, 0.5)
    assert to_mask(found.logits, Size(80, 80))[8:12, 8:16].all()


def test_torchvision_is_never_loaded():
    code = """
    import sys
    import numpy as np, torch
    from remover.segment import sam2
    from remover.segment.bank import Bank
    from remover.segment.hints import Hints
    from remover.types import Shot, Size

    class Blank:
        num_frames, size = 3, Size(64, 64)
        def read(self, start, stop):
            return iter([np.zeros((64, 64, 3), np.uint8)] * (stop - start))

    torch.set_num_threads(1)
    config = sam2.Config(16, 1, (1, 1, 2, 1), (3,), image_size=64, width=64, memory_width=16)
    bank = Bank(sam2.build(config), Blank(), Shot(0, 3))
    bank.prompt(1, 0, Hints(clicks=((20.0, 20.0),)))
    bank.step(1, 1)
    print("torchvision" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("not enough memory: you tried to allocate 51380224 bytes."),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("place", ["load", "prompt", "step"])
def test_memory_that_runs_out_is_said_in_one_sentence(track, monkeypatch, place, error):
    def fail(*_args, **_kwargs):
        raise error

    if place == "load":
        monkeypatch.setattr(torch, "load", fail)
    else:
        monkeypatch.setattr(Bank, place, fail)
    with pytest.raises(DeviceError) as caught:
        track(Noise(4), [box_on(1)])
    assert caught.value.message == "the memory of `cpu` is too small for `--tracker sam2:tiny`"
    assert caught.value.hint == "pass `--tracker builtin`, which needs no network"


def test_other_failures_stay_what_they_are(track, monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("mat1 and mat2 must have the same dtype")

    monkeypatch.setattr(Bank, "step", fail)
    with pytest.raises(RuntimeError, match="same dtype"):
        track(Noise(4), [box_on(1)])


def test_a_larger_size_is_advised_to_be_smaller(tmp_path):
    from remover.segment.run import _naming_memory

    with pytest.raises(DeviceError) as caught, _naming_memory(Sam2("large", tmp_path, "cuda:0")):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "`cuda:0`" in caught.value.message
    assert caught.value.hint.startswith("use a smaller size, as `sam2:tiny`")


@pytest.fixture
def checkpoint(network, tmp_path, monkeypatch):
    """A file in upstream's format, of the small network."""
    monkeypatch.setitem(sam2.CONFIGS, "tiny", SMALL)
    path = tmp_path / "weights.pt"
    torch.save({"model": network.predictor.state_dict()}, path)
    return path


def test_from_file_to_file_over_a_cut(checkpoint, make_clip, tmp_path):
    """Several objects, corrections on later frames, a part of the clip, another shot."""
    import remover

    clip = make_clip(frames=16, cut_at=10)
    x, y, w, h = clip.box
    report = remover.clean(
        clip.path,
        tmp_path / "out.mkv",
        box=[f"{x},{y},{w},{h}@2", "80,10,30,30@3#2", "90,60,20,20@12#2"],
        click=["30,44@5", "100,20@7#2"],
        avoid=["5,5@6", "3,3@4"],
        start="1",
        end="15",
        tracker="sam2:tiny",
        sam2_weights=str(checkpoint),
        device="cpu",
    )
    assert report.tracker == "sam2:tiny"
    assert report.weights == {"sam2:tiny": hashlib.sha256(checkpoint.read_bytes()).hexdigest()}
    assert report.versions["rf-sam-2"] != "absent"
    assert report.promises.times_equal
    assert report.plan.seconds > sam2_cost("tiny", "cpu", 14, 14).seconds
    assert json.loads(json.dumps(report.to_json()))["weights"] == report.weights


def test_an_object_is_found_again_after_a_cut_and_followed(track):
    class Skinned(Noise):
        """A thing with a face, elsewhere in another place after the cut."""

        def at(self, index):
            return (20 + index, 20) if index < 4 else (70 + index, 30)

        def read(self, start, stop):
            skin = np.random.default_rng(7).integers(0, 255, (12, 12, 3)).astype(np.uint8)
            skin = cv2.resize(skin, (48, 48), interpolation=cv2.INTER_CUBIC)
            for index in range(start, stop):
                x, y = self.at(index)
                rng = np.random.default_rng(100 + (index >= 4))
                ground = rng.integers(40, 200, (23, 35, 3)).astype(np.uint8)
                picture = cv2.resize(ground, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
                picture[y : y + 48, x : x + 48] = skin
                yield picture

        def mask(self, index):
            x, y = self.at(index)
            mask = np.zeros(SIZE, np.bool_)
            mask[y : y + 48, x : x + 48] = True
            return mask

    film = Skinned(8)
    labels, done = track(film, [MaskPrompt(1, 1, film.mask(1))], [Shot(0, 4), Shot(4, 8)])
    assert done.lost == ()
    assert done.unsure[-1].stop == 8
    (note,) = done.notes
    frame = int(note.split("frame ")[1].split(":")[0])
    assert frame in range(4, 8)
    true = film.mask(frame)
    assert (labels[frame] == 1)[true].mean() > 0.9
    assert done.cost.seconds > 0
