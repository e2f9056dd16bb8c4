"""Check an installation: versions, decoders, GPU, disk, data root and lists; print each fix."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def main() -> int:
    """Parse the arguments, look, print; exit 2 when something has to be mended."""
    parser = cli.make_parser(
        "Look at versions, decoders (each opens a small clip), GPU, disk and, with --cfg, data root and lists.",
        "python tools/doctor.py --cfg exp_adapt_bn/mvit_b32_k600/config.yaml",
    )
    parser.add_argument("--cfg", action="append", metavar="FILE", help="experiment whose data and lists are looked at")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    args = parser.parse_args()
    from slowfast.apps.doctor import examine
    from slowfast.config import load_config

    findings = examine(load_config(args.cfg, args.opts) if args.cfg else None)
    print("\n".join(finding.line() for finding in findings))
    problems = sum(finding.state == "problem" for finding in findings)
    print(f"{len(findings)} things looked at, {problems} problems")
    return cli.EXIT_BAD_INPUT if problems else cli.EXIT_OK


if __name__ == "__main__":
    cli.run(main)
