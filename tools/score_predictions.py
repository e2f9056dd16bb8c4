"""How many predictions are right, where labels are known; they measure only and choose nothing."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.paths import argument_path


def main() -> None:
    """Print a line for every file, the share of right labels among the videos whose class is known."""
    parser = cli.make_parser(
        "Compare predictions (PKL, predictions.csv or arid_pred.csv) with known labels; others do not count.",
        "python tools/score_predictions.py output/real/exp_adapt_bn/*/total_unlabel*.pkl --truth truth.csv",
    )
    parser.add_argument("predictions", nargs="+", metavar="FILE", help="PKL, predictions.csv or arid_pred.csv")
    parser.add_argument("--truth", required=True, metavar="CSV", help="rows name,label; -1 where unknown")
    args = parser.parse_args()
    from slowfast.apps.score import score

    score([argument_path(path) for path in args.predictions], argument_path(args.truth))


if __name__ == "__main__":
    cli.run(main)
