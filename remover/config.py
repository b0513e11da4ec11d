"""Merge options from flags, environment and files; the only reader of the environment.

::

    flag  >  REMOVER_* variable  >  remover.toml here  >  user's config.toml  >  default
"""

import os
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from remover.choices import Option, from_text, from_toml
from remover.errors import InputError, UsageError, nearest
from remover.options import (
    OBJECT_KEYS,
    RIVALS,
    CleanOptions,
    DisplayOptions,
    ObjectOptions,
    all_options,
    options_of,
)
from remover.prompts import MAX_OBJECT_ID

__all__ = [
    "CleanOptions",
    "DisplayOptions",
    "ObjectOptions",
    "Settings",
    "cache_folder",
    "is_completing",
    "is_debugging",
    "is_dumb_terminal",
    "quiet_libraries",
    "settings",
    "template",
    "use_color",
    "user_file",
    "variable",
]

ENV_PREFIX = "REMOVER_"
DEBUG_VARIABLE = "REMOVER_DEBUG"
COMPLETION_VARIABLE = "_REMOVER_COMPLETE"
PROJECT_FILE = "remover.toml"
OBJECT_PREFIX = "object."


class _Given(NamedTuple):
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The merged options and where each came from."""

    clean: CleanOptions
    display: DisplayOptions
    sources: Mapping[str, str]
    """For each option's name: ``flag``, a variable, the path of a file, or ``default``."""

    def lines(self) -> list[str]:
        """One line an option: its value and source, for ``-v``."""
        found = []
        for name, option in all_options().items():
            owner = self.clean if hasattr(self.clean, name) else self.display
            value = getattr(owner, name)
            shown = "-" if value is None else _toml(value).strip('"')
            found.append(f"{option.key:<12} {shown:<9} ({self.sources[name]})")
        for one in self.clean.objects:
            for key in OBJECT_KEYS:
                name, value = f"object.{one.number}.{key}", getattr(one, key)
                if value is not None:
                    found.append(f"{name:<12} {value:<9} ({self.sources[name]})")
        return found


def settings(
    flags: Mapping[str, object],
    *,
    config: Path | None = None,
    no_config: bool = False,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Merge flags, environment, files and defaults; the first that has a value wins.

    Args:
        flags: Values by option name, as typed (text is parsed); None is not given.
        config: Read this file in place of the project's and the user's.
        no_config: Read no file.
        env: The environment; the process's own by default.
        folder: Where the project's file is looked for; the current folder by default.

    Raises:
        UsageError: An unknown key, a wrong type, a value out of its range, a bad combination.
        InputError: A file cannot be read.
    """
    env = os.environ if env is None else env
    if config is not None and no_config:
        raise UsageError("`--config` and `--no-config` exclude each other", hint="leave one out")
    layers = [_from_flags(flags), _from_env(env)]
    if config is not None:
        layers.append(_from_file(config))
    elif not no_config:
        found = [(folder or Path()) / PROJECT_FILE, user_file(env)]
        layers += [_from_file(path) for path in found if path is not None and path.is_file()]
    chosen: dict[str, _Given] = {}
    for layer in layers:
        nearer = dict(chosen)
        for name, given in layer.items():
            rival = nearer.get(RIVALS.get(name, ""))
            if name not in nearer and (rival is None or rival.value in (False, 0, None)):
                chosen[name] = given
    return _build(chosen)


def variable(option: Option) -> str:
    """The environment variable of an option."""
    return ENV_PREFIX + option.name.upper()


def user_file(env: Mapping[str, str] | None = None) -> Path | None:
    """The user's configuration file, whether it exists or not; None without a home folder."""
    base = _base_folder("XDG_CONFIG_HOME", ".config", env)
    return None if base is None else base / "remover" / "config.toml"


def cache_folder(env: Mapping[str, str] | None = None) -> Path | None:
    """The folder for what can be fetched again, as weights; None without a home folder."""
    base = _base_folder("XDG_CACHE_HOME", ".cache", env)
    return None if base is None else base / "remover"


def _base_folder(name: str, default: str, env: Mapping[str, str] | None) -> Path | None:
    base = Path((os.environ if env is None else env).get(name) or ".")
    if base.is_absolute():  # the specification says to ignore relative ones
        return base
    try:
        return Path.home() / default
    except RuntimeError:
        return None


def use_color(choice: str, *, is_terminal: bool, env: Mapping[str, str] | None = None) -> bool:
    """Whether to colour a stream: by ``choice``, NO_COLOR, FORCE_COLOR, TERM, the terminal."""
    env = os.environ if env is None else env
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    return bool(env.get("FORCE_COLOR")) or (is_terminal and env.get("TERM") != "dumb")


def is_dumb_terminal(env: Mapping[str, str] | None = None) -> bool:
    """Whether the terminal says that it cannot move its cursor."""
    return (os.environ if env is None else env).get("TERM") == "dumb"


def is_completing() -> bool:
    """Whether the shell runs the command to ask how a word could go on."""
    return COMPLETION_VARIABLE in os.environ


def quiet_libraries() -> None:
    """Keep encoders from talking where only the environment can tell them."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only; SVT-AV1 greets on stderr otherwise


def is_debugging(env: Mapping[str, str] | None = None) -> bool:
    """Whether errors that a user caused show their traceback too."""
    return bool((os.environ if env is None else env).get(DEBUG_VARIABLE))


def template() -> str:
    """A configuration file with every option at its default, commented out."""
    lines = [
        "# Options of `remover`. Save as `remover.toml` in the folder where the command runs, or",
        "# as `~/.config/remover/config.toml` for every folder, and take away the `#` before an",
        "# option to set it. Flags and `REMOVER_*` variables win over this file.",
    ]
    examples = {"start": '"45f"', "end": '"00:00:10.500"', "codec": '"h264"'}
    examples |= {"crf": "16", "dilate": "4", "format": '"matroska"', "fps": "24"}
    examples |= {"sam2_weights": '"sam2.1_hiera_tiny.pt"', "work": '"work"'}
    examples |= {"weights": '"checkpoint"', "steps": "12", "guidance": "3.0"}
    for name, option in all_options().items():
        lines += ["", *(f"# {line}" for line in textwrap.wrap(option.help, 96))]
        default = examples[name] if option.default is None else _toml(option.default)
        lines.append(f"#{option.key} = {default}")
    lines += [
        "",
        "# What the object `#2` has of its own; it wins over what is set for the whole run, by",
        "# flags and variables too. Tables come last in the file.",
        "#[object.2]",
        '#tracker = "none"',
        '#painter = "classic"',
    ]
    return "\n".join(lines) + "\n"


def _build(chosen: Mapping[str, _Given]) -> Settings:
    values = {name: given.value for name, given in chosen.items()}
    of_objects: dict[int, dict[str, Any]] = {}
    for name in [name for name in values if name.startswith(OBJECT_PREFIX)]:
        number, key = name.removeprefix(OBJECT_PREFIX).split(".")
        of_objects.setdefault(int(number), {})[key] = values.pop(name)
    objects = tuple(ObjectOptions(number=n, **own) for n, own in sorted(of_objects.items()))
    clean, display = (
        {o.name: values[o.name] for o in options_of(owner) if o.name in values}
        for owner in (CleanOptions, DisplayOptions)
    )
    sources = dict.fromkeys(all_options(), "default")
    sources |= {name: given.source for name, given in chosen.items()}
    return Settings(CleanOptions(**clean, objects=objects), DisplayOptions(**display), sources)


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    found = {}
    for name, value in flags.items():
        if value is None:
            continue
        option = all_options()[name]
        subject = f"`{option.flag}`"
        is_text = isinstance(value, str)
        parsed = from_text(option, str(value), subject) if is_text else value
        found[name] = _Given(parsed, "flag")
    return found


def _from_env(env: Mapping[str, str]) -> dict[str, _Given]:
    found = {}
    names = {variable(option): option for option in all_options().values()}
    for key, text in env.items():
        if not key.startswith(ENV_PREFIX) or key == DEBUG_VARIABLE or not text:
            continue
        if key in names:
            option = names[key]
            found[option.name] = _Given(from_text(option, text, f"`{key}`"), key)
        elif near := _misspelt(key, names):
            raise UsageError(
                f"the environment variable `{key}` is no option", hint=f"did you mean `{near}`?"
            )
    return found


def _misspelt(key: str, names: Mapping[str, Option]) -> str | None:
    """The variable that ``key`` nearly is; other programs may own other names with our prefix."""
    stems = {name.removeprefix(ENV_PREFIX): name for name in names}
    near = nearest(key.removeprefix(ENV_PREFIX), stems, likeness=0.75)
    return None if near is None else stems[near]


def _from_file(path: Path) -> dict[str, _Given]:
    known = {option.key: option for option in all_options().values()}
    found: dict[str, _Given] = {}
    for key, value in _read(path):
        if key == "object":
            found |= _objects_from_file(value, path)
            continue
        if key not in known:
            near = nearest(key, known)
            raise UsageError(
                f"`{key}` in `{path}` is no option",
                hint=f"did you mean `{near}`?"
                if near
                else "`remover info --config-template` lists every option",
            )
        option = known[key]
        subject = f"`{key}` in `{path}`"
        found[option.name] = _Given(from_toml(option, value, subject), str(path))
    return found


def _objects_from_file(tables: object, path: Path) -> dict[str, _Given]:
    """The values of the tables ``[object.ID]``, by names as ``object.2.tracker``."""
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise UsageError(
            f"`object` in `{path}` is no table of tables",
            hint='as `[object.2]`, then `tracker = "none"` on a line of its own',
        )
    found: dict[str, _Given] = {}
    for number, table in tables.items():
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MAX_OBJECT_ID):
            raise UsageError(
                f"`[object.{number}]` in `{path}` does not name an object of 1 to {MAX_OBJECT_ID}",
                hint="the table of `#2` is `[object.2]`",
            )
        for key, value in table.items():
            place = f"`{key}` of `[object.{number}]` in `{path}`"
            if key not in OBJECT_KEYS:
                near = nearest(key, OBJECT_KEYS)
                raise UsageError(
                    f"{place} cannot be set for one object",
                    hint=f"did you mean `{near}`?" if near else f"{_listed(OBJECT_KEYS)} can",
                )
            checked = from_toml(all_options()[key], value, place)
            found[f"{OBJECT_PREFIX}{int(number)}.{key}"] = _Given(checked, str(path))
    return found


def _listed(keys: tuple[str, ...]) -> str:
    return " and ".join(f"`{key}`" for key in keys)


def _read(path: Path) -> Iterator[tuple[str, object]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError(
            f"the configuration file `{path}` cannot be read: {reason.lower()}",
            hint="`--no-config` goes without it",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"the configuration file `{path}` is not text in UTF-8",
            hint="`remover info --config-template` prints one to begin with",
        ) from None
    try:
        yield from tomllib.loads(text).items()
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"the configuration file `{path}` is not valid TOML: {str(error).lower()}",
            hint='a line is `key = value`, with text in quotes, as `tracker = "none"`',
        ) from None


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{value}"'
