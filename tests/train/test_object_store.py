"""Against a stand-in of an object store, where one is: ``pip install s3fs moto[server]``."""

import json
import uuid

import pytest

from remover.errors import InputError
from remover.train.latents import INDEX, PROGRESS, Latents
from remover.train.shards import ShardWriter, batches
from remover.train.store import Place

ABOUT = {"dtype": "float32"}


@pytest.fixture
def bucket(monkeypatch):
    """The URL of an empty bucket."""
    pytest.importorskip("s3fs", reason="no s3fs")
    server = pytest.importorskip("moto.server", reason="no moto")
    import fsspec

    place = server.ThreadedMotoServer(port=0)
    place.start()
    host, port = place.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(
        fsspec.config.conf, "s3", {"endpoint_url": f"http://{host}:{port}", "anon": False}
    )
    system = fsspec.filesystem("s3")
    name = uuid.uuid4().hex  # what is in it outlives the server
    system.mkdir(name)
    yield f"s3://{name}/latents"
    system.clear_instance_cache()
    place.stop()


def test_shards_are_written_and_read_in_place(bucket, make_sample, equal_samples):
    samples = [make_sample(number) for number in range(6)]
    with ShardWriter(bucket, z_dim=4, shard_bytes=8000, about=ABOUT) as writer:
        for number, sample in enumerate(samples):
            writer.add(sample)
            if writer.is_due:
                writer.commit(number + 1)
    latents = Latents.read(bucket)
    assert len(latents.shards) > 1
    assert not Place.of(bucket).has(PROGRESS)
    found = list(latents.samples())
    assert all(equal_samples(one, two) for one, two in zip(found, samples, strict=True))
    with batches(latents, size=2, seed=0, first=1, stop=3) as steps:
        assert [len(batch) for batch in steps] == [2, 2]
    place = Place.of(bucket)
    place.remove(latents.shards[0].name)
    with pytest.raises(InputError, match=r"s3://.*/latents/shard-00000\.tar"):
        latents.check_whole()


def test_what_was_not_finished_is_not_there(bucket, make_sample):
    def stopped():
        with ShardWriter(bucket, z_dim=4, shard_bytes=1, about=ABOUT) as writer:
            writer.add(make_sample(0))
            writer.commit(1)
            writer.add(make_sample(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    place = Place.of(bucket)
    assert not place.has(INDEX)
    assert place.has("shard-00000.tar")
    assert not place.has("shard-00001.tar")
    done = json.loads(place.read(PROGRESS))
    assert [shard["keys"] for shard in done["shards"]] == [["00000000-0"]]
