import json
import threading
import uuid
from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remover.errors import InputError, OutputError, UsageError
from remover.train.latents import INDEX, PROGRESS, Latents
from remover.train.order import steps, turns
from remover.train.shards import ShardWriter, batches
from remover.train.store import Place

SHAPES = ((4, 2, 4, 4), (4, 2, 4, 6), (4, 1, 2, 2))
ABOUT = {"what": "a test", "dtype": "float32"}


def written(url, samples, *, shard_bytes=1 << 30, about=ABOUT):
    with ShardWriter(url, z_dim=4, shard_bytes=shard_bytes, about=about) as writer:
        for number, sample in enumerate(samples):
            writer.add(sample)
            if writer.is_due:
                writer.commit(number + 1)
    return Latents.read(url)


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path):
    return tmp_path / "latents" if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def test_samples_come_back_bit_for_bit(url, make_sample, equal_samples):
    samples = [make_sample(n, SHAPES[n % 3]) for n in range(11)]
    latents = written(url, samples, shard_bytes=6000)
    assert len(latents) == 11
    assert latents.z_dim == 4
    assert len(latents.shards) > 3
    found = {sample.key: sample for sample in latents.samples()}
    assert all(equal_samples(found[sample.key], sample) for sample in samples)


def test_accepted_results_are_kept_apart_and_chosen_by_key(url, make_sample, equal_samples):
    samples = [make_sample(n, accepted=n % 2 == 0) for n in range(6)]
    latents = written(url, samples)
    assert len(latents.shards) == 2
    chosen = latents.only([samples[0].key, samples[4].key])
    found = {sample.key: sample for sample in chosen.samples()}
    assert set(found) == {samples[0].key, samples[4].key}
    assert equal_samples(found[samples[4].key], samples[4])
    keys = {s.key for batch in batches(chosen, size=2, seed=0, first=0, stop=3) for s in batch}
    assert keys == set(found)
    with pytest.raises(InputError, match="none of the chosen samples"):
        latents.only(["00000099-0"])


def test_half_precision_is_rounded_once(tmp_path, make_sample):
    sample = make_sample(0)
    (found,) = written(tmp_path / "a", [sample], about={"dtype": "bfloat16"}).samples()
    assert torch.equal(found.clean, sample.clean.bfloat16().float())
    assert found.clean.dtype == torch.float32


def test_shards_are_what_webdataset_reads(tmp_path, make_sample):
    import webdataset

    latents = written(tmp_path / "a", [make_sample(n) for n in range(3)])
    path = tmp_path / "a" / latents.shards[0].name
    with path.open("rb") as file:
        files = webdataset.tariterators.tar_file_expander([{"url": "", "stream": file}])
        records = list(webdataset.tariterators.group_by_keys(files))
    assert [record["__key__"] for record in records] == list(latents.shards[0].keys)
    assert all({"json", "safetensors"} <= set(record) for record in records)
    assert path.stat().st_size >= latents.shards[0].record * 3


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    size=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_every_sample_of_an_epoch_comes_exactly_once(counts, size, seed):
    seen = [Counter() for _ in counts]
    for bucket, numbers in steps(counts, size, seed, 0, 40):
        assert len(numbers) == size
        for number in numbers:
            # No sample comes again before all others of its shape came as often.
            least = min(seen[bucket][other] for other in range(counts[bucket]))
            assert seen[bucket][number] == least
            seen[bucket][number] += 1


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(1, 50), min_size=1, max_size=5), step=st.integers(1, 200))
def test_shapes_take_turns_in_proportion(counts, step):
    rounds = turns(counts)
    taken = Counter(next(rounds)[0] for _ in range(step))
    for bucket, count in enumerate(counts):
        assert abs(taken[bucket] - step * count / sum(counts)) < len(counts)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    size=st.integers(1, 5),
    first=st.integers(0, 60),
)
def test_any_step_can_be_taken_up(counts, size, first):
    whole = list(steps(counts, size, 3, 0, first + 3))
    assert list(steps(counts, size, 3, first, first + 3)) == whole[first:]
    assert steps(counts, size, 4, first, first + 1) is not None


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=st.integers(0, 12))
def test_resumed_batches_are_those_of_a_whole_run(first, make_sample):
    url = f"memory://{uuid.uuid4().hex}"
    latents = written(url, [make_sample(n, SHAPES[n % 2]) for n in range(9)], shard_bytes=4000)
    whole = [[s.key for s in b] for b in batches(latents, size=2, seed=5, first=0, stop=14)]
    rest = [[s.key for s in b] for b in batches(latents, size=2, seed=5, first=first, stop=14)]
    assert rest == whole[first:]
    for batch in batches(latents, size=2, seed=5, first=first, stop=14):
        assert len({sample.shape for sample in batch}) == 1


def test_processes_share_a_step(url, make_sample):
    latents = written(url, [make_sample(n) for n in range(7)])
    whole = list(batches(latents, size=4, seed=1, first=0, stop=5))
    parts = [
        list(batches(latents, size=4, seed=1, first=0, stop=5, part=slice(2 * n, 2 * n + 2)))
        for n in range(2)
    ]
    for step, batch in enumerate(whole):
        joined = [sample.key for part in parts for sample in part[step]]
        assert joined == [sample.key for sample in batch]


def alive() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


def test_the_thread_ends_when_the_batches_are_closed(tmp_path, make_sample):
    latents = written(tmp_path / "a", [make_sample(n) for n in range(5)])
    before = alive()
    with batches(latents, size=2, seed=0, first=0, stop=10**6) as found:
        next(found)
        assert alive() == before + 1
        assert found.waited > 0
    assert alive() == before
    with pytest.raises(StopIteration):
        next(found)
    for found in (batches(latents, size=2, seed=0, first=0, stop=2),):
        assert len(list(found)) == 2
        assert list(found) == []
    assert alive() == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_shard_is_one_clear_error(tmp_path, make_sample, damage):
    samples = [make_sample(n) for n in range(4)]
    latents = written(tmp_path / "a", samples)
    path = tmp_path / "a" / latents.shards[0].name
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: latents.shards[0].record * 2 + 700])
    elif damage == "flipped":
        content[latents.shards[0].record * 2 + 1900] ^= 255
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"shard-00000\.tar") as caught:
        list(batches(latents, size=4, seed=0, first=0, stop=1))
    assert "remover train encode" in caught.value.hint
    if damage != "flipped":
        with pytest.raises(InputError, match=r"shard-00000\.tar"):
            latents.check_whole()


def stopped(url, samples, *, shard_bytes, about=ABOUT):
    with ShardWriter(url, z_dim=4, shard_bytes=shard_bytes, about=about) as writer:
        for number, sample in enumerate(samples):
            writer.add(sample)
            if writer.is_due:
                writer.commit(number + 1)
        raise KeyboardInterrupt


def test_what_was_committed_is_taken_up(tmp_path, make_sample):
    samples = [make_sample(n, SHAPES[n % 2]) for n in range(10)]
    written(tmp_path / "whole", samples, shard_bytes=8000)
    place = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        stopped(place, samples[:7], shard_bytes=8000)
    assert not (place / INDEX).exists()
    assert not list(place.glob(".*"))
    with pytest.raises(InputError, match="not finished"):
        Latents.read(place)
    with ShardWriter(place, z_dim=4, shard_bytes=8000, about=ABOUT) as writer:
        assert 0 < writer.done < 7
        for number, sample in enumerate(samples[writer.done :], writer.done):
            writer.add(sample)
            if writer.is_due:
                writer.commit(number + 1)
    assert not (place / PROGRESS).exists()
    for path in sorted((tmp_path / "whole").iterdir()):
        assert (place / path.name).read_bytes() == path.read_bytes(), path.name


def test_what_a_killed_run_left_is_written_over(tmp_path, make_sample):
    (tmp_path / ".shard-00000.tar.part").write_bytes(b"half a shard")
    (tmp_path / "shard-00000.tar").write_bytes(b"one that nobody remembers")
    written(tmp_path, [make_sample(0)])
    assert {path.name for path in tmp_path.iterdir()} == {INDEX, "shard-00000.tar"}
    assert len(list(Latents.read(tmp_path).samples())) == 1


def test_latents_of_something_else_are_not_mixed_in(tmp_path, make_sample):
    with pytest.raises(KeyboardInterrupt):
        stopped(tmp_path, [make_sample(0)], shard_bytes=1, about={"data": {"frames": 9}})
    with pytest.raises(OutputError, match=r"`data.frames` is `9` there and `5` now"):
        ShardWriter(tmp_path, z_dim=4, shard_bytes=1, about={"data": {"frames": 5}})
    written(tmp_path / "b", [make_sample(0)])
    with pytest.raises(OutputError, match="holds latents already"):
        written(tmp_path / "b", [make_sample(0)])


def test_a_full_disk_leaves_nothing_broken(tmp_path, make_sample, monkeypatch):
    from remover.train import store

    room = [20_000]
    write = store.write_all

    def limited(file, content):
        room[0] -= len(content)
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        write(file, content)

    monkeypatch.setattr(store, "write_all", limited)
    with pytest.raises(OutputError, match="the disk is full"):
        written(tmp_path / "a", [make_sample(n) for n in range(20)], shard_bytes=4000)
    names = {path.name for path in (tmp_path / "a").iterdir()}
    done = json.loads((tmp_path / "a" / PROGRESS).read_text())
    assert names == {PROGRESS, *(shard["name"] for shard in done["shards"])}
    room[0] = 10**9
    with ShardWriter(tmp_path / "a", z_dim=4, shard_bytes=4000, about=ABOUT) as writer:
        for number in range(writer.done, 20):
            writer.add(make_sample(number))
    assert sorted(s.key for s in Latents.read(tmp_path / "a").samples()) == [
        make_sample(n).key for n in range(20)
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 1}'.replace(b"1", b"99")])
def test_a_damaged_index_is_one_clear_error(tmp_path, content):
    (tmp_path / INDEX).write_bytes(content)
    with pytest.raises(InputError, match=INDEX):
        Latents.read(tmp_path)


def test_no_latents_at_all(tmp_path):
    with pytest.raises(InputError, match="holds no latents"):
        Latents.read(tmp_path)
    with pytest.raises(UsageError, match="cannot be reached"):
        Place.of("nowhere://bucket/x")


@pytest.mark.parametrize("name", ["fsspec", "webdataset"])
def test_missing_packages_are_named(tmp_path, make_sample, no_module, name):
    no_module(name)
    with pytest.raises(UsageError, match="not installed") as caught:
        written(tmp_path / "a", [make_sample(0)])
    assert 'pip install "remover[train]"' in caught.value.hint
