"""Show the resolved configuration of an experiment, or only what differs between two."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.config import config_difference, dump_config, load_config
from slowfast.utils import cli
from slowfast.utils.plugins import load_plugins


def main() -> None:
    """Parse the arguments and print YAML."""
    parser = cli.make_parser(
        "Print the resolved configuration as YAML; with --diff only the keys that differ.",
        "python tools/show_config.py exp_pseudo_stage2/mvit_b32_k600/config.yaml "
        "--diff exp_pseudo_stage1/mvit_b32_k600/config.yaml",
    )
    parser.add_argument("file", help="YAML file")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    parser.add_argument("--diff", metavar="FILE2", help="print `KEY: value in FILE, value in FILE2` of differing keys")
    cli.add_plugin_argument(parser)
    args = parser.parse_intermixed_args()
    load_plugins(args.plugin)
    cfg = load_config(args.file, args.opts)
    if args.diff is None:
        print(dump_config(cfg), end="")
        return
    for key, (left, right) in sorted(config_difference(cfg, load_config(args.diff)).items()):
        print(f"{key}: {left!r} -> {right!r}")


if __name__ == "__main__":
    cli.run(main)
