"""Write docs/configuration.md, the page of all configuration keys."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.config_page import config_page
from slowfast.utils import cli
from slowfast.utils.files import write_text
from slowfast.utils.paths import REPO_ROOT, argument_path


def render() -> str:
    """Return the page for this checkout."""
    files = [
        path for folder in ("configs", "exp_adapt_bn", "exp_experts") for path in (REPO_ROOT / folder).rglob("*.yaml")
    ]
    return config_page((REPO_ROOT / "slowfast/config/defaults.py").read_text(encoding="utf-8"), sorted(files))


def main() -> None:
    """Parse the arguments, write the page."""
    parser = cli.make_parser("Write the page of all configuration keys.", "python tools/make_config_page.py")
    parser.add_argument("--output", metavar="FILE", default=str(REPO_ROOT / "docs/configuration.md"), help="the page")
    write_text(argument_path(parser.parse_args().output), render())


if __name__ == "__main__":
    cli.run(main)
