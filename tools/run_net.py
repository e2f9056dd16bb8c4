"""Train and test one experiment."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def main() -> None:
    """Parse the arguments, load the configuration, run."""
    parser = cli.make_parser(
        "Train the experiment when TRAIN.ENABLE, then test it when TEST.ENABLE. Overrides win over the file.",
        "python tools/run_net.py --cfg exp_adapt_bn/mvit_b32_k600/config.yaml SOLVER.MAX_EPOCH 1",
    )
    parser.add_argument(
        "--cfg",
        required=True,
        action="append",
        metavar="FILE",
        help="YAML file of the experiment; given again: later wins",
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="overrides")
    cli.add_plugin_argument(parser)
    # Behind KEY VALUE too, where the scripts of the experiments pass what they are given.
    plugins, words = cli.take_plugins(sys.argv[1:])
    args = parser.parse_args(words)
    from slowfast.config import load_config
    from slowfast.utils.logging import setup_logging
    from slowfast.utils.plugins import load_plugins

    setup_logging()
    load_plugins(plugins)
    cfg = load_config(args.cfg, args.opts)

    from slowfast.engine.launch import run_experiment

    run_experiment(cfg)


if __name__ == "__main__":
    cli.run(main)
