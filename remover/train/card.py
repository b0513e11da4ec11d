"""The ``README.md`` of a checkpoint: what it learned from, and what it may be used for."""

import hashlib
from dataclasses import dataclass

from remover.models.config import DiTConfig
from remover.models.memory import dit_parameters
from remover.train.presets import as_toml
from remover.train.settings import Settings
from remover.version import __version__

_LICENCES = {
    "wan": (
        "apache-2.0",
        "The transformer was trained from Wan 2.1's (Apache License 2.0), which binds what is "
        "made of it to that licence's terms. The training material has licences of its own.",
    ),
    "minimax": (
        "cc-by-nc-4.0",
        "The transformer was trained from the released weights of MiniMax-Remover (CC BY-NC 4.0): "
        "no commercial use, and their authors are to be named.",
    ),
    "random": (
        "other",
        "The transformer was trained from nothing, so no other weights' licence binds it. Those "
        "of the training material may; whoever trained it can say more.",
    ),
}
"""By origin: the word that model pages use, and a sentence."""

_COMMAND = "remover clean VIDEO --mask MASK --painter small --weights DIR"

_VAES = {
    "wan": "The autoencoder in `vae/` is Wan 2.1's (Apache License 2.0).",
    "tiny": "The autoencoder in `vae/` was trained for this, on the same material.",
}


def digest(settings: Settings) -> str:
    """The sha256 of the settings as a file that says everything."""
    return hashlib.sha256(as_toml(settings).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Card:
    """What is told of a checkpoint."""

    settings: Settings
    stage: int
    """1 or 2."""
    steps: int
    """Of this stage, that were done."""
    origin: str
    """Where the first weights of stage 1 were from: ``random``, ``wan`` or ``minimax``."""
    data: str
    """What it was trained on, in a sentence."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is unknown.
        """
        if self.origin not in _LICENCES or self.stage not in (1, 2):
            raise ValueError(f"origin `{self.origin}` or stage {self.stage} is unknown")

    def text(self, config: DiTConfig, dtype: str) -> str:
        """The page, in Markdown with the head that model pages have.

        Args:
            config: The transformer's shape.
            dtype: What its weights are stored in.
        """
        word, licence = _LICENCES[self.origin]
        settings, tokens = self.settings, config.num_contrast_tokens
        stage = (
            f"stage 1, with {tokens} contrast tokens: `remover clean` guides it"
            if tokens
            else "no contrast tokens: `remover clean` samples it without guidance"
        )
        lines = [
            *("---", f"license: {word}", "pipeline_tag: video-to-video", "---", ""),
            f"# {settings.name}",
            "",
            "Weights that remove objects from videos, in the layout of MiniMax-Remover. Use them:",
            *("", "```sh", _COMMAND, "```", ""),
            "| | |",
            "| --- | --- |",
            f"| made by | remover {__version__}, `remover train`, stage {self.stage} |",
            f"| steps | {self.steps:,} of batch {self._batch} |",
            f"| transformer | {dit_parameters(config):,} parameters, stored as {dtype} |",
            f"| kind | {stage} |",
            f"| clips | {settings.data.frames} frames at {self._sizes} |",
            f"| trained on | {self.data} |",
            f"| seed | {settings.seed} |",
            f"| sha256 of the settings | `{digest(settings)}` |",
            *("", "## Licence", "", licence, "", _VAES[settings.autoencoder.kind], ""),
            *("## Settings", "", "```toml", as_toml(settings).rstrip(), "```", ""),
        ]
        return "\n".join(lines)

    @property
    def _batch(self) -> int:
        return (self.settings.stage1 if self.stage == 1 else self.settings.stage2).batch

    @property
    def _sizes(self) -> str:
        return ", ".join(f"{height}x{width}" for height, width in self.settings.data.sizes)
