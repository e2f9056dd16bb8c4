"""Write extracted features in the layout of a toolkit for temporal action localisation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.paths import argument_path, output_path


def main() -> None:
    """Parse the arguments and export."""
    parser = cli.make_parser(
        "Write the features of tools/extract_features.py as .npy files with the JSON and the configuration values that "
        "ActionFormer (also TriDet), OpenTAD or a program of one's own reads.",
        "python tools/export_features.py --format actionformer --features output/features --output-dir output/export",
    )
    parser.add_argument("--format", required=True, choices=("actionformer", "opentad", "npy"))
    parser.add_argument("--features", required=True, metavar="DIR", help="output folder of extract_features.py")
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="folder to fill")
    parser.add_argument(
        "--annotations", metavar="JSON", help='{"database": {video: {"subset", "annotations": [{"label", "segment"}]}}}'
    )
    parser.add_argument("--subset", default="test", help="of videos that the annotations do not name (test)")
    parser.add_argument(
        "--classes", metavar="FILE", help="class names in order, like category_idx.txt of another export"
    )
    args = parser.parse_args()

    from slowfast.apps.export_features import export_features
    from slowfast.utils.files import printable

    annotations = argument_path(args.annotations) if args.annotations else None
    classes = argument_path(args.classes) if args.classes else None
    source, target = argument_path(args.features), output_path(args.output_dir)
    print(printable(export_features(source, target, args.format, annotations, args.subset, classes)))


if __name__ == "__main__":
    cli.run(main)
