"""The recipe of the preset `small`, dry: made-up pictures, a few steps, and every command."""

import contextlib
import hashlib
import importlib.util
import io
import tarfile
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_chain import SMALL

from remover.cli.main import main
from remover.train import presets
from remover.weights import LAYOUT

DATA = Path(__file__).resolve().parents[1] / "data"
LARGEST_MB = 8
USES = {"a.jpg": "train", "b.png": "train", "c.png": "train", "d.jpg": "held-out", "e.jpg": "judge"}
PACKED = ("a.jpg", "d.jpg", "e.jpg")


def script(name):
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(DATA))
        spec.loader.exec_module(module)
    return module


recipe = script("make_small")


def in_process(folder, words):
    """A command as the recipe runs it, without a process of its own."""
    with contextlib.chdir(folder), pytest.raises(SystemExit) as stop:
        main(["train", *words, "--progress", "none", "--quiet"])
    assert stop.value.code == 0, words
    return 0.0


def package(files):
    """A Debian package with these files as wallpapers."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./usr/share/backgrounds/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": inner.getvalue()}
    found = b"!<arch>\n"
    for name, content in parts.items():
        found += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        found += content + b"\n" * (len(content) % 2)
    return found


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Pictures, some in a package and some in a folder, and the list of them."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "textures").mkdir()
    rng, listed, packed = np.random.default_rng(0), [], {}
    for name, use in USES.items():
        coarse = rng.integers(0, 256, (9, 12, 3), np.uint8)
        picture = cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC)
        content = cv2.imencode(Path(name).suffix, picture)[1].tobytes()
        if name in PACKED:
            packed[name] = content
        else:
            (folder / "textures" / name).write_bytes(content)
        entry = {"file": name, "use": use, "sha256": hashlib.sha256(content).hexdigest()}
        listed.append({**entry, "by": f"{name}'s maker", "licence": "CC0 1.0", "origin": "here"})
    (folder / "textures" / "unlisted.png").write_bytes(content)
    (folder / "pictures.deb").write_bytes(package(packed))
    return folder / "pictures.deb", folder / "textures", listed


@pytest.fixture(scope="module")
def made(material, tmp_path_factory):
    """The folder after the whole recipe."""
    folder = tmp_path_factory.mktemp("small")
    recipe.gather(*material[:2], folder, material[2])
    sizes = {"data.sizes": "[[32, 32], [32, 48]]", "data.clips": "14", "data.held_out": "4"}
    changes = [f"{key}={value}" for key, value in {**SMALL, **sizes}.items()]
    recipe.chain(folder, changes, in_process)
    return folder


def test_photographs_are_gathered_for_what_the_list_says(made, material):
    names = {name: {path.name for path in (made / name).iterdir()} for name in ("photos", "judged")}
    assert names["photos"] == {"a.jpg", "b.jpg", "c.jpg", "d.jpg", "held-out.txt"}
    assert names["judged"] == {"d.jpg", "e.jpg"}
    assert (made / "photos" / "held-out.txt").read_text() == "d\n"
    sums = dict(line.split("  ")[::-1] for line in (made / "SHA256SUMS").read_text().splitlines())
    assert sums == {one["file"]: one["sha256"] for one in material[2]}
    credit = (made / "LICENSE").read_text()
    assert all((f"{name}'s maker" in credit) == (use == "train") for name, use in USES.items())


def test_an_exchanged_photograph_is_refused(material, tmp_path):
    other = [dict(material[2][0], sha256="0" * 64)]
    with pytest.raises(SystemExit, match=r"a\.jpg is another picture: sha256"):
        recipe.gather(*material[:2], tmp_path, other)


def test_the_recipe_ends_with_a_checkpoint_and_is_not_run_again(made):
    assert all((made / recipe.CHECKPOINT / path).is_file() for path in LAYOUT.values())
    said = (made / "times.jsonl").read_text().splitlines()
    assert len(said) == 7
    recipe.chain(made, [], lambda *_: pytest.fail("nothing is left to do"))


def test_what_was_begun_goes_on(made):
    begun = dict(recipe.steps(made, []))
    assert "--resume" in begun["stage 1"]
    assert "--resume" in begun["stage 2"]
    fresh = dict(recipe.steps(made / "none", []))
    assert not any("--resume" in words for words in fresh.values())


def test_it_is_held_against_patches_on_photographs_it_never_saw(made):
    compare = script("compare_small")
    photographs = sorted((made / "judged").iterdir())
    found, shares, rows = compare.compare(photographs, made / "small", (96, 64), 10**6)
    assert found.shape == (6, 3, 3)
    assert len({row.shape for row in rows}) == 1
    told = compare.summary(found, shares)
    assert told["holes"] == 6
    gap = told["features"]["difference"]["mean"]
    means = [told["features"][painter]["mean"] for painter in ("patches", "network")]
    assert means[1] - means[0] == pytest.approx(gap, abs=2e-3)


def test_the_list_names_no_photograph_twice_and_those_of_the_outlines():
    listed = tomllib.loads(recipe.LIST.read_text())["photo"]
    assert len({one["sha256"] for one in listed}) == len(listed)
    free = [one for one in listed if one["use"] != "judge"]
    assert {one["licence"].split()[1] for one in free if "CC BY" in one["licence"]} == {"BY"}
    assert not any("SA" in one["licence"] for one in free)
    known = (DATA.parents[1] / "remover" / "assets" / "edges.LICENSE").read_text()
    for one in free:
        assert Path(one["file"]).stem.split("_by_")[0] in known
        assert one["by"].split(",")[0] in known


def test_the_preset_is_small_enough():
    from remover.models.config import TinyConfig
    from remover.models.dit import DiT
    from remover.models.tiny import TinyVae

    settings = presets.load("small")
    vae = TinyVae(TinyConfig(settings.autoencoder.width, settings.autoencoder.z_dim))
    dit = DiT(settings.network.shape(settings.autoencoder.z_dim, is_stage2=True))
    count = sum(p.numel() for part in (vae, dit) for p in part.parameters())
    assert 2 * count < LARGEST_MB * 10**6
