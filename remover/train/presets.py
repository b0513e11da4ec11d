"""Settings from a TOML file or a preset, with changes on top; unknown keys are errors."""

import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from remover.errors import InputError, UsageError, nearest
from remover.train.settings import Settings

FOLDER = Path(__file__).parent.parent / "assets" / "presets"
BASE = "base"
"""The key that names the preset which a file changes."""


def names() -> tuple[str, ...]:
    """The presets that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(config: str, changes: Sequence[str] = ()) -> Settings:
    """The settings of a file or a preset.

    Args:
        config: A preset's name, or the path of a TOML file.
        changes: As ``stage1.steps=200``, applied last; values are TOML, or plain words.

    Raises:
        InputError: The file cannot be read.
        UsageError: An unknown key or preset, a wrong type, a value out of its range.
    """
    tables = _tables(config)
    for change in changes:
        _apply(tables, change)
    return build(tables, config)


def changed(settings: Settings, changes: Sequence[str]) -> Settings:
    """Settings with changes as ``load`` takes them.

    Raises:
        UsageError: As for ``load``.
    """
    tables = plain(settings)
    for change in changes:
        _apply(tables, change)
    return build(tables, "--set")


def build(tables: Mapping[str, Any], source: str) -> Settings:
    """Settings from parsed tables.

    Args:
        tables: As TOML or JSON gives them.
        source: Where they are from, for messages.

    Raises:
        UsageError: As for ``load``.
    """
    settings = _made(Settings, tables, source, "")
    assert isinstance(settings, Settings)
    return settings


def plain(settings: Any) -> dict[str, Any]:
    """Settings as tables of plain values; ``build`` is the inverse."""
    found = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        found[item.name] = plain(value) if is_dataclass(value) else value
    return json.loads(json.dumps(found)) if isinstance(settings, Settings) else found


def as_toml(settings: Settings) -> str:
    """The file that says everything, also what was left at its default."""
    tables = plain(settings)
    lines = [f"{key} = {_toml(v)}" for key, v in tables.items() if not isinstance(v, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value)  # a TOML value, for texts, numbers, booleans and lists of them


def _tables(config: str) -> dict[str, Any]:
    """The tables of a file or preset, over those of its base."""
    path = FOLDER / f"{config}.toml" if config in names() else Path(config)
    try:
        text = path.read_text(encoding="utf-8-sig")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        near = nearest(config, names())
        listed = ", ".join(f"`{name}`" for name in names())
        raise InputError(
            f"`{config}` is neither a preset nor a file",
            hint=f"did you mean `{near}`?" if near else f"the presets are {listed}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "").lower() or "not text in UTF-8"
        raise InputError(f"`{config}` cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"`{config}` is not valid TOML: {str(error).lower()}",
            hint='a line is `key = value`, with text in quotes, as `source = "files"`',
        ) from None
    base = tables.pop(BASE, None)
    if base is None:
        return tables
    if base not in names():
        near = nearest(str(base), names())
        raise UsageError(
            f"`{BASE}` in `{config}` names no preset: `{base}`",
            hint=f"did you mean `{near}`?" if near else None,
        )
    return _over(_tables(str(base)), tables)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged; ``above`` wins, key by key."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged


def _apply(tables: dict[str, Any], change: str) -> None:
    """Change one value in place."""
    key, separator, text = change.partition("=")
    if not separator:
        raise UsageError(
            f"`--set {change}` has no `=`", hint="as `--set stage1.steps=200`, or data.folder=clips"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.strip().split(".")
    table = tables
    for name in path:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"`--set {change}`: `{name}` is no table")
    table[last] = value


def _made(kind: Any, table: Mapping[str, Any], source: str, prefix: str) -> Any:
    """An instance of a settings class from a table."""
    types_of = typing.get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    values = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if key not in known:
            near = nearest(key, tuple(known))
            raise UsageError(
                f"`{name}` in `{source}` is no setting",
                hint=f"did you mean `{prefix}{near}`?"
                if near
                else f"`{prefix or 'the file'}` has {', '.join(sorted(known))}",
            )
        expected = types_of[key]
        if is_dataclass(expected):
            if not isinstance(value, Mapping):
                raise UsageError(f"`{name}` in `{source}` is no table: `[{key}]` begins it")
            values[key] = _made(expected, value, source, f"{key}.")
        else:
            values[key] = _value(expected, value, name, source)
    try:
        return kind(**values)
    except ValueError as error:
        place = prefix.removesuffix(".")
        where = f"`[{place}]` of `{source}`" if place else f"`{source}`"
        raise UsageError(f"{error} ({where})") from None


_WORDS = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}


def _value(expected: Any, value: Any, name: str, source: str) -> Any:
    """A plain value of the type that a field has.

    Raises:
        UsageError: It has another type.
    """
    origin = typing.get_origin(expected)
    if origin is tuple:
        part = typing.get_args(expected)[0]
        if not isinstance(value, (list, tuple)):
            raise UsageError(f"`{name}` in `{source}` is `{value}`, not a list")
        return tuple(_value(part, item, name, source) for item in value)
    assert not isinstance(expected, types.UnionType)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if expected is float and is_number:
        return float(value)
    if expected is str and is_number:  # as `alpha = 0.5` beside `alpha = "uniform"`
        return f"{value}"
    if type(value) is not expected:
        raise UsageError(f"`{name}` in `{source}` is `{value}`, not {_WORDS[expected]}")
    return value
