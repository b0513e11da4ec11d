from dataclasses import replace

from remover import bench_train
from remover.progress import Silent
from remover.train.presets import load


def test_both_stages_are_timed(tmp_path):
    settings = load("tiny")
    settings = replace(
        settings,
        network=replace(settings.network, num_layers=1, ffn_dim=24),
        data=replace(
            settings.data, clips=6, held_out=1, sizes=((32, 32),), frames=5, leading_frames=1
        ),
        autoencoder=replace(settings.autoencoder, width=8, z_dim=4, steps=2),
        curation=replace(settings.curation, clips=2, steps=1),
        stage1=replace(settings.stage1, batch=4, micro_batch=4),
        stage2=replace(settings.stage2, batch=4, micro_batch=4),
    )
    one, two = bench_train.measure(settings, 3, tmp_path, "cpu", Silent())
    assert (one.stage, two.stage) == (1, 2)
    for speed in (one, two):
        assert speed.steps == 3
        assert speed.batch == 4
        assert speed.samples_per_second > 0
        assert 0 <= speed.waiting < 1
        assert speed.peak_bytes > 1 << 20
    assert bench_train.to_json([one])[0]["stage"] == 1
    assert bench_train.table([one, two]).count("\n") == 4
