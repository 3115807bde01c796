"""How far a run has come."""

import pytest

from training.progress import Progress


def test_sums_go_on_after_a_resumption():
    progress = Progress.of(None)
    progress.add(2.0, 4)
    progress.add(5.0, 2)
    again = Progress.of({"epoch": 0} | progress.record())
    assert (again.epoch, again.batches, again.photos) == (1, 2, 6)
    assert again.mean_loss == pytest.approx(3.0)
    assert again.elapsed >= progress.seconds
    assert "epoch 1, batch 2 of 9: loss 3.0000" in again.line(9)


def test_an_epoch_starts_empty():
    progress = Progress(epoch=4, batches=7, photos=10, loss=20.0, seconds=100.0)
    progress.next_epoch()
    assert progress.record()["progress"] | {"seconds": 0} == {
        "epoch": 5, "batches": 0, "photos": 0, "loss": 0.0, "seconds": 0,
    }  # fmt: skip
    assert progress.elapsed < 50
    assert progress.mean_loss == 0


def test_a_checkpoint_without_sums_was_written_after_its_epoch():
    assert Progress.of({"epoch": 3}).epoch == 4
