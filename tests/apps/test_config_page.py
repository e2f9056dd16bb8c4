"""The page of all keys names each of them, and is what the code says today."""

import subprocess
import sys

from slowfast.apps.config_page import comments_of, config_page, examples_in
from slowfast.config import flatten, get_cfg

KEYS = list(flatten(get_cfg()))


def test_the_page_is_current(repo, tmp_path):
    page = tmp_path / "configuration.md"
    subprocess.run([sys.executable, repo / "tools/make_config_page.py", "--output", page], check=True, timeout=120)
    assert (repo / "docs/configuration.md").read_text() == page.read_text(), "run python tools/make_config_page.py"


def test_every_key_has_an_explanation(repo):
    source = (repo / "slowfast/config/defaults.py").read_text(encoding="utf-8")
    comments = comments_of(source)
    assert [key for key in KEYS if not comments.get(key)] == []


def test_examples_are_of_the_first_file_and_pipes_do_not_break_the_table(tmp_path):
    (tmp_path / "a.yaml").write_text("MODEL: {ARCH: 'a|b'}\n")
    (tmp_path / "b.yaml").write_text("MODEL: {ARCH: c, NUM_CLASSES: 7}\n")
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    assert examples_in(files) == {"MODEL.ARCH": "a|b", "MODEL.NUM_CLASSES": 7}
    page = config_page("_C.MODEL.ARCH = 1  # name\n", files)
    assert "| `MODEL.ARCH` | name | `slowfast` | `a\\|b` |" in page
