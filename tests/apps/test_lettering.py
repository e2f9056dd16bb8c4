"""Class names are written with a font that has their letters, or by number."""

import logging

import pytest
from PIL import ImageFont

from slowfast.apps import lettering as module
from slowfast.apps.lettering import font_for, has_letters, installed_fonts, lettering


@pytest.fixture(autouse=True)
def forget():
    """Every test looks for fonts itself."""
    for kept in (installed_fonts, font_for, module._tell):
        kept.cache_clear()


def test_boxes_are_told_from_letters():
    plain = ImageFont.load_default(20)
    assert has_letters(plain, "Run 97 %") and has_letters(plain, "")
    assert not has_letters(plain, "\u8dd1\u6b65") and not has_letters(plain, "Run \u8dd1")


def test_an_installed_font_that_has_the_letters_is_taken(monkeypatch, tmp_path):
    (tmp_path / "broken CJK.ttf").write_bytes(b"no font")
    monkeypatch.setattr(module, "_FOLDERS", (str(tmp_path), *module._FOLDERS))
    assert installed_fonts()[0].endswith("broken CJK.ttf") or "cjk" in installed_fonts()[0].lower()
    if not any("DejaVuSans.ttf" in path for path in installed_fonts()):
        pytest.skip("DejaVu is not installed")
    text, font = lettering(["\u0416\u0443\u043a", "class 3"], 20)
    assert text == "\u0416\u0443\u043a" and has_letters(font, text)


def test_the_number_where_no_font_has_the_letters_and_said_once(monkeypatch, caplog):
    monkeypatch.setattr(module, "_FOLDERS", ())
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    for _ in range(3):
        text, font = lettering(["\u8dd1\u6b65", "class 3"], 20)
        assert text == "class 3" and has_letters(font, text)
    assert len(caplog.messages) == 1 and "no installed font" in caplog.messages[0]
