"""Choices by name, and own code that adds to them."""

import pytest

from slowfast.utils.errors import InputError
from slowfast.utils.plugins import load_plugins
from slowfast.utils.registry import Registry


def test_a_name_gives_what_was_registered():
    registry = Registry("SOME.KEY")
    registry.register("square")(pow)
    assert registry["square"] is pow
    assert registry.names() == ("square",)
    assert "square" in registry


def test_an_unknown_name_gets_the_key_and_the_nearest_name():
    registry = Registry("SOME.KEY")
    registry.register("square")(pow)
    with pytest.raises(InputError, match=r"SOME\.KEY is 'sqare'.*did you mean 'square'"):
        registry["sqare"]


def test_a_name_is_given_once():
    registry = Registry("SOME.KEY")
    registry.register("square")(pow)
    with pytest.raises(InputError, match="registered already"):
        registry.register("square")(abs)


def test_a_plugin_is_run_once(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('x')\n")
    load_plugins([file, file])
    load_plugins([str(file)])
    assert (tmp_path / "ran").read_text() == "x"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_at_all\n", "line 1.*no_such_module_at_all"),
        ("x = 1\nx = (\n", "line 2"),
        ("\n\nraise SystemExit(3)\n", "line 3.*SystemExit"),
    ],
)
def test_a_plugin_that_does_not_import_is_one_sentence(tmp_path, text, reason):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(InputError, match=reason) as error:
        load_plugins([file])
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)


def test_a_plugin_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such Python file"):
        load_plugins([tmp_path / "none.py"])
