"""`tools/prepare_lists.py --from KIND SOURCE` and `--to KIND TARGET`: options, calls, what is told."""

import argparse
from dataclasses import replace
from pathlib import Path

from slowfast.utils.errors import InputError
from slowfast.utils.paths import argument_path

_SPELLED = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of both directions."""
    # fmt: off
    group = parser.add_argument_group("other tools' formats (docs/formats.md)")
    add = group.add_argument
    kinds = "kinetics, mmaction2, rawframes, huggingface, cvat, labelstudio, fiftyone, datumaro"
    add("--from", dest="source", nargs=2, metavar=("KIND", "SOURCE"), help=f"read labels; KIND: {kinds}")
    add("--to", dest="target", nargs=2, metavar=("KIND", "TARGET"), help="write labels, of --from or --list")
    add("--list", nargs="+", default=[], metavar="CSV", help="with --to: our lists or tables of pseudo-labels")
    add("--videos", metavar="DIR", help="folder of the clips (default with --from: SOURCE or its folder)")
    add("--classes", metavar="FILE", help="names of classes by number: one a line, or a data.yaml")
    add("--label-from", default="", metavar="NAME", help="control, attribute, column or field that holds the label")
    add("--video-key", default="", metavar="NAME", help="field or column that names the video")
    add("--video-name", default="", metavar="NAME", help="the video of an export that names none")
    add("--segments", default="", choices=["whole", "trimmed"],
        help="whole: a clip whose segments agree has their label; trimmed: every segment is a file (default: no rows)")
    add("--fps", type=float, default=0.0, metavar="RATE", help="frame rate that a timeline counts at")
    add("--delimiter", default=" ", type=lambda text: _SPELLED.get(text, text), help="of mmaction2 lists (blank)")
    add("--multi-class", action="store_true", help="mmaction2 rows hold several labels")
    add("--several-labels", action="store_true", help="lists hold them too, as 3|7 (docs/several_labels.md)")
    add("--with-offset", action="store_true", help="rawframes rows hold an offset")
    add("--url-prefix", default="", metavar="TEXT", help="before names for Label Studio: /data/local-files/?d=")
    add("--model-version", default="", metavar="TEXT", help="write labels as predictions of that model")
    # fmt: on


def run(args: argparse.Namespace) -> None:
    """Read, write, and say what was left out."""
    from slowfast.apps.formats.clip import Options
    from slowfast.apps.formats.exchange import named, read_classes, read_lists, write_lists
    from slowfast.apps.formats.kinds import kind_of, read_export
    from slowfast.apps.formats.match import Files, resolve
    from slowfast.lists.endings import find_files

    classes = read_classes(argument_path(args.classes)) if args.classes else ()
    videos = argument_path(args.videos) if args.videos else None
    options = Options(
        classes, args.label_from, args.video_key, args.video_name, args.delimiter, args.multi_class, args.with_offset,
        args.fps, args.url_prefix, args.model_version, videos,
    )  # fmt: skip
    writer = kind_of(args.target[0], writing=True).write if args.target else None
    if not args.source and not args.list:
        raise InputError("--to needs what to write: --list CSV or --from KIND SOURCE")
    if args.source:
        source = argument_path(args.source[1])
        export = read_export(args.source[0], source, options)
    else:
        export = read_lists([argument_path(path) for path in args.list], classes)
    if writer is not None:
        if args.source and videos:
            files = Files(path.relative_to(videos).as_posix() for path in find_files(videos))
            export.clips = [replace(clip, name=name) for name, clip in resolve(export.clips, files, export.told)]
        target = Path(args.target[1]).expanduser().absolute()
        lost = writer(target, named(export, classes), options)
        print(f"{target}: {len(export.clips)} clips as {args.target[0]}")
        _tell("not held", lost)
    else:
        output = Path(args.output).expanduser().absolute()
        dark = argument_path(args.dark) if args.dark else None
        folders = write_lists(
            output, export, videos or (source if source.is_dir() else source.parent), classes=classes,
            segments=args.segments, dark=dark, check=not args.no_check, workers=args.workers,
            several=args.several_labels,
        )  # fmt: skip
        for split, folder in folders.items():
            print(f"{output / split}.csv: {len(folder.rows)} clips of {folder.path}")
            for name, reason in folder.left_out:
                print(f"  left out: {name}: {reason}")
        print(f"configuration: {output / 'data.yaml'}")
    _tell("told", export.told)


def _tell(word: str, counts) -> None:
    """Print the sentences that have a count."""
    for text, count in counts.items():
        if count:
            print(f"  {word}: {count} {text}")
