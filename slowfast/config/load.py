"""Read configurations: `_BASE_` files, overrides, all errors reported together; the result is frozen."""

import ast
import difflib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode

from slowfast.config.defaults import get_cfg
from slowfast.config.legacy import is_legacy
from slowfast.config.validate import find_conflicts
from slowfast.utils.errors import ConfigError
from slowfast.utils.paths import REPO_ROOT, argument_path

logger = logging.getLogger(__name__)

_MAX_BASE_DEPTH = 8
_MAX_YAML_BYTES = 1 << 20
_MAX_FILES = 100
_MAX_VALUES = 100_000
_SPLIT = re.compile(r"DATA\.SPLITS\.[^.]+")
_CLASS_KEYS = ("DATA.CLASS_NAMES", "MODEL.NUM_CLASSES")
_COMMAND = "command line"
# Upstream's defaults with which no run works, and what stands for them where nothing sets the key.
_USABLE = {"TRAIN.DATASET": "ug2_sparse", "TEST.DATASET": "ug2_sparse"}


@dataclass(frozen=True)
class Setting:
    """One value with the place that says it."""

    key: str
    value: Any
    origin: str


@dataclass
class _Reading:
    """What reading the files has met: errors, every file once for each mention, whether all could be read."""

    errors: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    whole: bool = True

    def refuse(self, text: str) -> list[Setting]:
        """Note that a file cannot be used; it has no settings."""
        self.whole = False
        self.errors += [text] if text not in self.errors else []
        return []


def load_config(path: str | Path | Sequence[str | Path], opts: Sequence[str] = (), *, whole: bool = True) -> CfgNode:
    """Return the resolved, validated and frozen configuration.

    Args:
        path: YAML file, or several of which later ones win; from the current directory or the repository root.
        opts: overrides `[KEY, VALUE, KEY, VALUE, ...]`; they win over the file.
        whole: look for impossible combinations too, which needs torch.

    Raises:
        ConfigError: naming every unknown key, wrong type, duplicate key and impossible combination at once.
    """
    paths = [path] if isinstance(path, (str, Path)) else list(path)
    paths = [argument_path(item) for item in paths]
    path = paths[-1]
    reading = _Reading()
    errors = reading.errors
    settings = [setting for item in paths for setting in _read_yaml(item, reading, above=())]
    settings += _parse_overrides(opts, errors)
    known = flatten(get_cfg())
    values: dict[str, Any] = {}
    ignored: list[str] = []
    for setting in _without_outdated_names(settings):
        if _SPLIT.fullmatch(setting.key):
            _coerce(setting, known["DATA.SPLITS.test"], values, errors)
        elif setting.key in known:
            _coerce(setting, known[setting.key], values, errors)
        elif setting.value is None and any(key.startswith(f"{setting.key}.") for key in known):
            continue  # a section of which everything is left out
        elif is_legacy(setting.key):
            ignored.append(setting.key)
        else:
            errors.append(_unknown(setting, known))
    origins = {setting.key: setting.origin for setting in settings if setting.key in values}
    values = _USABLE | values
    if values.get("MODEL.ARCH") == "mvit":  # its table of positions is for one size
        values.setdefault("DATA.TEST_CROP_SIZE", values.get("DATA.TRAIN_CROP_SIZE", known["DATA.TRAIN_CROP_SIZE"]))
    cfg = get_cfg()
    if "OUTPUT_DIR" not in values and _is_experiment(path):
        values["OUTPUT_DIR"] = str(path.resolve().parent.relative_to(REPO_ROOT))
    for key, value in values.items():
        _assign(cfg, key, value)
    if reading.whole and whole:
        errors += [_placed(text, origins, path.name) for text in _unnamed(find_conflicts(cfg), errors, known)]
    if errors:
        raise ConfigError("; ".join(errors))
    if ignored:
        logger.warning("%s: keys without effect here: %s", path.name, " ".join(sorted(set(ignored))))
    cfg.freeze()
    return cfg


def _without_outdated_names(settings: list[Setting]) -> list[Setting]:
    """Return the settings without class names that a later number of classes does not fit: they were another set's."""
    last = {setting.key: (place, setting.value) for place, setting in enumerate(settings)}
    (names_at, names), (number_at, number) = (last.get(key, (-1, None)) for key in _CLASS_KEYS)
    names, number = _literal(names), _literal(number)
    is_outdated = 0 <= names_at < number_at and isinstance(number, int) and isinstance(names, list)
    if not (is_outdated and names and len(names) != number):
        return settings
    logger.warning(
        "the %d DATA.CLASS_NAMES of the files before do not belong to %d classes: numbers", len(names), number
    )
    return [setting for setting in settings if setting.key != _CLASS_KEYS[0]]


def _unnamed(conflicts: list[str], errors: list[str], known: dict[str, Any]) -> list[str]:
    """Return the conflicts without those of keys that an error names already: their values are not what was meant."""
    named = [key for key in known if any(key in text for text in errors)]
    return [text for text in conflicts if not any(key in text for key in named)]


def _placed(text: str, origins: dict[str, str], file: str) -> str:
    """Return the sentence about a conflict behind the place that sets a key it names, the command line first."""
    places = [origin for key, origin in origins.items() if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", text)]
    if not places:
        return f"{file} leaves a key at a default that does not work, set it: {text}"
    return f"{_COMMAND if _COMMAND in places else places[0]}: {text}"


def flatten(cfg: CfgNode, prefix: str = "") -> dict[str, Any]:
    """Return `{dotted key: value}` of a tree, in the order of definition."""
    flat: dict[str, Any] = {}
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def config_difference(first: CfgNode, second: CfgNode) -> dict[str, tuple[Any, Any]]:
    """Return `{dotted key: (value in first, value in second)}` of the keys that differ."""
    left, right = flatten(first), flatten(second)
    keys = dict.fromkeys([*left, *right])  # splits may have any name
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def dump_config(cfg: CfgNode) -> str:
    """Return the configuration as YAML text with sorted keys; it loads again through `load_config`."""
    return yaml.safe_dump(_plain(cfg), sort_keys=True, allow_unicode=True, default_flow_style=None, width=120)


def _plain(value: Any) -> Any:
    """Return nested plain dicts, lists and scalars."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class _StrictLoader(yaml.SafeLoader):
    """A safe YAML loader of mappings whose keys are text."""


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    """Build a mapping; keys given twice are found by `_repeated_keys`."""
    mapping: dict = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not text", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def _repeated_keys(node: yaml.Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield (dotted key, line) of every key that stands in its mapping a second time."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, prefix)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = f"{prefix}{key_node.value}"
        if key in seen:
            yield key, key_node.start_mark.line + 1
        seen.add(key)
        yield from _repeated_keys(value_node, f"{key}.")


def _parse_yaml(text: str) -> tuple[Any, list[tuple[str, int]]]:
    """Return the values of a YAML text and its repeated keys; repeated references must not blow it up.

    Raises:
        yaml.YAMLError: the text is damaged or, written out without references, too large.
    """
    loader = _StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, []
        _count_values(node, {})
        return loader.construct_document(node), list(_repeated_keys(node))
    finally:
        loader.dispose()


def _count_values(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return the number of values below a node, every reference counted in full."""
    if id(node) in counted:
        if not counted[id(node)]:
            raise yaml.constructor.ConstructorError(None, None, "a value refers to itself", node.start_mark)
        return counted[id(node)]
    counted[id(node)] = 0
    below = node.value if isinstance(node, yaml.CollectionNode) else ()
    items = [item for pair in below for item in (pair if isinstance(pair, tuple) else (pair,))]
    total = 1 + sum(_count_values(item, counted) for item in items)
    if total > _MAX_VALUES:
        raise yaml.constructor.ConstructorError(None, None, f"more than {_MAX_VALUES} values", node.start_mark)
    counted[id(node)] = total
    return total


def _read_yaml(path: Path, reading: _Reading, above: tuple[Path, ...]) -> list[Setting]:
    """Return the settings of a file, those of its bases first.

    Args:
        path: the file.
        reading: gets what is wrong and every file that is read.
        above: the files whose base this one is.
    """
    if path in above or len(above) > _MAX_BASE_DEPTH or len(reading.files) >= _MAX_FILES:
        return reading.refuse(
            f"{path}: _BASE_ files form a circle, are nested more than {_MAX_BASE_DEPTH} deep, or are more than"
            f" {_MAX_FILES}; take some out"
        )
    reading.files.append(path)
    if not path.is_file():
        return reading.refuse(f"{path}: no such configuration file; check the path")
    if path.stat().st_size > _MAX_YAML_BYTES:
        return reading.refuse(f"{path}: larger than {_MAX_YAML_BYTES} bytes, so it is not a configuration")
    try:
        tree, repeated = _parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return reading.refuse(f"{path}: not valid YAML: {' '.join(str(error).split())}")
    if tree is None:
        return []
    if not isinstance(tree, dict):
        return reading.refuse(f"{path}: a configuration is a mapping of keys, this is a {type(tree).__name__}")
    reading.errors += [f"{path.name}: key {key} is given twice, again in line {line}" for key, line in repeated]
    bases = tree.pop("_BASE_", [])
    bases = bases if isinstance(bases, list) else [bases]
    settings: list[Setting] = []
    for base in bases:
        settings += _read_yaml((path.parent / str(base)).resolve(), reading, (*above, path))
    return settings + list(_walk(tree, path.name))


def _walk(tree: dict, origin: str, prefix: str = ""):
    """Yield a `Setting` for every leaf; a mapping inside a list stays a value."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _walk(value, origin, f"{prefix}{key}.")
        else:
            yield Setting(f"{prefix}{key}", value, origin)


def _parse_overrides(opts: Sequence[str], errors: list[str]) -> list[Setting]:
    """Return the settings of `KEY VALUE` pairs."""
    if len(opts) % 2:
        errors.append(f"{_COMMAND}: '{opts[-1]}' has no value; give KEY VALUE pairs")
        opts = opts[:-1]
    return [Setting(key, value, _COMMAND) for key, value in zip(opts[::2], opts[1::2])]


def _literal(text: Any) -> Any:
    """Return a Python literal, or the text itself."""
    if not isinstance(text, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {"true": True, "false": False, "null": None, "none": None}.get(text.lower(), text)


def _flow_list(text: str) -> Any:
    """Return the list that a text is in YAML, `[a, b]`, or the text itself."""
    try:
        return _parse_yaml(text)[0] if text.startswith("[") else text
    except (yaml.YAMLError, RecursionError, ValueError):
        return text


def _coerce(setting: Setting, default: Any, values: dict[str, Any], errors: list[str]) -> None:
    """Store the value in the type of the default, or report a wrong type."""
    value = _literal(setting.value)
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(default, list) and isinstance(value, str):
        value = _flow_list(value)
    if isinstance(default, str) and value is None:
        value = ""
    elif isinstance(default, str) and not isinstance(value, (str, list, dict)):
        value = str(setting.value)
    elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    elif isinstance(default, int) and isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        errors.append(f"{setting.origin}: {setting.key} is {value!r}, which is no UTF-8: rename that file or folder")
        return
    words = _WORDS.get(setting.key, ())
    fits = default is None or value is None or type(value) is type(default) or value in words
    nullable = default is None or setting.key in _NULLABLE
    if not fits or (value is None and not nullable):
        wanted = " or ".join([_TYPES[type(default)], *map(repr, words)])
        errors.append(f"{setting.origin}: {setting.key} is {value!r}, {wanted} is needed (like {default!r})")
        return
    values[setting.key] = value


# Keys of another type that take these words too.
_WORDS = dict.fromkeys(("TRAIN.COMPILE", "TEST.COMPILE"), ("blocks", "replay"))
_TYPES = {bool: "True or False", int: "a whole number", float: "a number", str: "a text", list: "a list"}
# Keys whose default is a value, but for which None is upstream's way to say "not set".
_NULLABLE = frozenset({"SF.PRETRAIN_NAME"})


def _unknown(setting: Setting, known: dict[str, Any]) -> str:
    """Return the sentence about an unknown key: a similar spelling first, then the same name in another section."""
    inside = [key for key in known if key.startswith(f"{setting.key}.")]
    if inside:
        return f"{setting.origin}: {setting.key} is {setting.value!r}, a section of keys: give {inside[0]} or others"
    spelled, leaf = setting.key.upper(), setting.key.upper().rsplit(".", 1)[-1]
    close = [key for key in known if key.upper() == spelled]
    close += difflib.get_close_matches(spelled, known, n=1, cutoff=0.6)
    close += [key for key in known if key.rsplit(".", 1)[-1] == leaf]
    close += difflib.get_close_matches(spelled, known, n=1, cutoff=0.0)
    section, dot, _ = spelled.partition(".")
    is_own = dot and not any(key.startswith(f"{section}.") for key in known)
    own = " (keys of own code come with --plugin FILE.py)" if is_own else ""
    return f"{setting.origin}: unknown key {setting.key}, did you mean {close[0]}?{own}"


def _is_experiment(path: Path) -> bool:
    """Return whether a config lies in an `exp_*` folder of the repository."""
    resolved = path.resolve()
    return resolved.is_relative_to(REPO_ROOT) and resolved.relative_to(REPO_ROOT).parts[0].startswith("exp_")


def _assign(cfg: CfgNode, key: str, value: Any) -> None:
    """Set a dotted key."""
    *sections, leaf = key.split(".")
    for section in sections:
        cfg = cfg[section]
    cfg[leaf] = value
