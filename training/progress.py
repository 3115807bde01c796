"""How far a run has come, to the batch: what its checkpoint holds beside the weights."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Progress:
    """The epoch in work, and its sums so far."""

    epoch: int = 1
    batches: int = 0
    """Done in this epoch."""
    photos: int = 0
    """In these batches."""
    loss: float = 0.0
    """Sum over these photos."""
    seconds: float = 0.0
    """Spent on this epoch before the run was entered."""
    _started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, checkpoint: dict[str, Any] | None) -> "Progress":
        """Where a checkpoint was written; the start without one. One without sums was written after its epoch."""
        if checkpoint is None:
            return cls()
        return cls(**checkpoint.get("progress", {"epoch": checkpoint["epoch"] + 1}))

    def record(self) -> dict[str, Any]:
        """For the checkpoint."""
        values = asdict(self) | {"seconds": self.elapsed}
        del values["_started"]
        return {"progress": values}

    def add(self, loss: float, photos: int) -> None:
        """Count a batch with its mean loss."""
        self.batches += 1
        self.photos += photos
        self.loss += loss * photos

    def next_epoch(self) -> None:
        """Start the next epoch; its sums are empty."""
        self.epoch += 1
        self.batches = self.photos = 0
        self.loss = self.seconds = 0.0
        self._started = time.monotonic()

    @property
    def mean_loss(self) -> float:
        return self.loss / max(1, self.photos)

    @property
    def elapsed(self) -> float:
        """Seconds spent on this epoch, those before a resumption included."""
        return self.seconds + time.monotonic() - self._started

    def line(self, batches: int) -> str:
        """For the log, in an epoch of so many ``batches``."""
        speed = self.photos / max(self.elapsed, 1e-6)
        return f"epoch {self.epoch}, batch {self.batches} of {batches}: loss {self.mean_loss:.4f}, {speed:.1f} photos/s"
