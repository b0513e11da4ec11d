"""Who paints what: for each object the classic painter or the run's one network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from remover.config import CleanOptions
from remover.errors import UsageError
from remover.fill import PAINTER, PAINTER_LICENCE, Network, choose
from remover.types import Prompt


@dataclass(frozen=True, slots=True)
class Painters:
    """What fills the pixels that no frame shows."""

    network: Network | None = None
    """None where no network paints."""
    objects: frozenset[int] | None = None
    """The objects that it paints; None is all of them."""
    names: Mapping[int, str] = field(default_factory=dict)
    """The painter of each object by its number."""
    copies: bool = True
    """Whether true pixels of other frames are copied first."""

    @property
    def name(self) -> str:
        """All that paint, for the report."""
        return ", ".join(dict.fromkeys(self.names.values()))

    @property
    def licence(self) -> str:
        """Their licences, in the same order."""
        found = {PAINTER: PAINTER_LICENCE}
        if self.network is not None:
            found[self.network.name] = self.network.licence
        return ", ".join(found[name] for name in dict.fromkeys(self.names.values()))

    @property
    def key(self) -> str:
        """What of it a result depends on, in words."""
        if self.network is None:
            return "classic"
        one = self.network
        which = "all" if self.objects is None else ", ".join(map(str, sorted(self.objects)))
        files = ", ".join(one.sha256.values())
        words = [one.name, files, one.device, one.dtype, f"guidance {one.guidance}", which]
        return "; ".join([*words, str(one.dit), str(one.vae), str(one.sampler)])


def choose_painters(prompts: Sequence[Prompt], options: CleanOptions) -> Painters:
    """The painters that ``options`` mean for the objects of ``prompts``.

    Raises:
        UsageError: Objects ask for two networks.
        WeightsError: Weights are missing, damaged, or of another architecture.
        DeviceError: The device is not there.
    """
    objects = sorted({prompt.object_id for prompt in prompts if prompt.is_target})
    wanted = {number: options.painter_of(number) for number in objects}
    networks = {
        name: choose(name, options.weights, options.device, options.dtype, options.guidance)
        for name in dict.fromkeys(wanted.values())
    }
    found = {one.name: one for one in networks.values() if one is not None}
    if len(found) > 1:
        raise UsageError(
            f"two networks are asked for: {' and '.join(f'`{name}`' for name in sorted(found))}",
            hint="one run has one network; clean the objects in two runs",
        )
    by_network = frozenset(n for n, name in wanted.items() if networks[name] is not None)
    names = {n: _name(networks[wanted[n]]) for n in objects}
    is_all = not by_network or by_network == frozenset(objects)
    return Painters(
        network=next(iter(found.values()), None),
        objects=None if is_all else by_network,
        names=names,
        copies=options.copy == "on",
    )


def idle_settings(painters: Painters, options: CleanOptions) -> tuple[str, ...]:
    """Settings of networks that have no effect since none paints."""
    if painters.network is not None:
        return ()
    given = {
        "--steps": options.steps,
        "--guidance": options.guidance,
        "--joins": None if options.joins == "hand-over" else options.joins,
        "--dtype": None if options.dtype == "auto" else options.dtype,
    }
    return tuple(
        f"`{flag} {value}` has no effect: no network paints"
        for flag, value in given.items()
        if value is not None
    )


def _name(network: Network | None) -> str:
    return PAINTER if network is None else network.name
