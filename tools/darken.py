"""Make a dark copy of a clip or of a folder of clips by a physical camera model."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def main() -> None:
    """Parse the arguments and write the copies."""
    args = parse()
    from slowfast.apps.darken import copies_of, darken_file
    from slowfast.utils.errors import InputError
    from slowfast.utils.paths import argument_path, output_path
    from slowfast.utils.progress import Progress
    from slowfast.video import VideoError

    source = argument_path(args.source)
    copies = copies_of(source, output_path(args.output))
    if len({target for _, target in copies}) < len(copies):
        raise InputError(f"{source}: two clips differ in their ending only, their copies would overwrite each other")
    progress = Progress(len(copies), "darkening")
    failed = 0
    for path, target in copies:
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        try:
            parameters = darken_file(path, target, seed=args.seed, crf=args.crf, exposure=args.exposure, name=name)
            print(
                f"{target}: exposure 1/{1 / parameters.exposure:.1f}, read noise {parameters.read_noise:.2f} electrons"
            )
        except VideoError as error:
            failed += 1
            print(f"left out: {error}", file=sys.stderr)
        progress.update()
    if failed == len(copies):
        raise InputError(f"{source}: not one clip can be read")


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Darken a clip or every clip below a folder: exposure, shot and read noise, colour cast, vignetting, codec.",
        "python tools/darken.py clips/light --output clips/dark --seed 1",
    )
    parser.add_argument("source", metavar="CLIP_OR_DIR", help="a video or a folder searched at any depth")
    parser.add_argument("--output", required=True, help="folder of the copies (for one clip also a name in .mp4)")
    parser.add_argument("--seed", type=int, default=0, help="of parameters and noise (default 0)")
    parser.add_argument("--crf", type=float, default=23.0, help="compression, 0 lossless to 51 worst (default 23)")
    parser.add_argument("--exposure", type=fraction, help="light that is left, e.g. 1/20 (default drawn per clip)")
    return parser.parse_args()


def fraction(text: str) -> float:
    """Return a number written as 0.05 or 1/20.

    Raises:
        argparse.ArgumentTypeError: when it is no number above 0 and up to 1.
    """
    try:
        upper, _, lower = text.partition("/")
        value = float(upper) / float(lower or 1)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and up to 1")
    return value


if __name__ == "__main__":
    cli.run(main)
