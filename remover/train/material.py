"""What a stage learns from, made ready: the autoencoder, encoded clips, clips held out.

A folder of latents holds those of the training clips, below ``held`` those of clips that are never
learnt from, and below ``vae`` the small autoencoder that encoded them, where there is one.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from remover.errors import UsageError
from remover.models.load import AnyVae
from remover.models.tiny import TinyVae
from remover.progress import Progress
from remover.train.autoencoder import fit
from remover.train.clips import Clip, Masks, Source, source
from remover.train.encode import about_of, encode, training_clips
from remover.train.latents import Latents, check_about, is_finished
from remover.train.parallel import World
from remover.train.samples import Sample
from remover.train.settings import Settings
from remover.train.vaes import autoencoder, none_fits

HELD, VAE = "held", "vae"


@dataclass(frozen=True, slots=True)
class Encoded:
    """Clips as a network learns them."""

    plain: Latents
    held: tuple[Sample, ...]
    vae: AnyVae


class HeldOut:
    """The clips of a source that are kept from training, as a source of their own."""

    def __init__(self, clips: Source) -> None:
        """Number them anew, in order."""
        self._clips = clips
        self._numbers = sorted(clips.held_out)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._numbers)

    def clip(self, index: int) -> Clip:
        """A clip; see ``Source``."""
        return self._clips.clip(self._numbers[index])

    def own(self, index: int) -> Masks | None:
        """The mask of an object of a clip; see ``Source``."""
        return self._clips.own(self._numbers[index])

    @property
    def masked(self) -> tuple[int, ...]:
        """The clips that have masks of their own."""
        there = set(self._clips.masked)
        return tuple(i for i, number in enumerate(self._numbers) if number in there)

    @property
    def held_out(self) -> frozenset[int]:
        """None: all of them are wanted."""
        return frozenset()


def encoded(
    settings: Settings,
    place: str,
    vae_folder: Path,
    here: World,
    progress: Progress,
    *,
    is_stage2: bool,
    other: Path | None = None,
) -> Encoded:
    """Encode all clips into ``place``, or take what is there.

    Args:
        settings: Which clips, which autoencoder.
        place: The folder of latents; a path, or a URL.
        vae_folder: Where the small autoencoder lies, or is put.
        here: The processes. Several of them only read.
        progress: Told of what is done.
        is_stage2: Which stage it is for.
        other: The folder of a small autoencoder to take over.

    Raises:
        UsageError: There are several processes, and nothing is encoded yet.
        InputError: There is no clip that can be used.
        OutputError: The folder holds latents of other settings, or the disk is full.
        WeightsError: The autoencoder is missing or damaged.
    """
    if here.size > 1 and not (is_finished(place) and is_finished(f"{place}/{HELD}")):
        raise UsageError(
            f"`{place}` holds no finished latents, and {here.size} processes would make them",
            hint="encode once before: remover train encode --config FILE -o LATENTS, then pass "
            "`--latents LATENTS`",
        )
    folder = Path(place) / VAE
    there = folder if folder.is_dir() else other
    if is_finished(place) and is_finished(f"{place}/{HELD}"):
        vae = autoencoder(settings.autoencoder, vae_folder, here.device, none_fits, there)
        return _taken(settings, place, vae, is_stage2=is_stage2)
    clips = source(settings.data, settings.seed)

    def learnt() -> TinyVae:
        training = training_clips(clips, settings.seed)
        return fit(settings.autoencoder, clips, training, settings.seed, progress)

    vae = autoencoder(settings.autoencoder, vae_folder, here.device, learnt, there)
    plain = encode(settings, place, vae, is_stage2=is_stage2, progress=progress, clips=clips)
    held = _held(settings, place, vae, progress, clips)
    return Encoded(plain, held, vae)


def _taken(settings: Settings, place: str, vae: AnyVae, *, is_stage2: bool) -> Encoded:
    """What was encoded before; the clips themselves need not be there any more.

    Raises:
        OutputError: It was for other settings.
        InputError: It is damaged.
    """
    found = []
    for url, asked, is_plain in (
        (place, settings, is_stage2),
        (f"{place}/{HELD}", _once(settings), True),
    ):
        latents = Latents.read(url)
        about = about_of(asked, int(latents.about.get("clips", 0)), vae, is_stage2=is_plain)
        check_about(url, latents.about, about)
        latents.check_whole()
        found.append(latents)
    return Encoded(found[0], tuple(found[1].samples()), vae)


def _once(settings: Settings) -> Settings:
    """For clips that are held out: each has one unrelated mask."""
    return replace(settings, data=replace(settings.data, repeats=1, own=0.0))


def _held(
    settings: Settings, place: str, vae: AnyVae, progress: Progress, clips: Source
) -> tuple[Sample, ...]:
    """The samples of the clips that are held out; each has one unrelated mask."""
    kept = HeldOut(clips)
    if not len(kept):
        return ()
    place = f"{place}/{HELD}"
    once = _once(settings)
    latents = encode(once, place, vae, is_stage2=True, progress=progress, clips=kept)
    return tuple(latents.samples())
