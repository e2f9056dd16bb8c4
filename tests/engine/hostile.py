"""Files that lie or attack, and what reading them costs.

The module is also a program: `hostile.py FOLDER` makes the files, reads each in a forked process through the door
that the library has for it, and prints one JSON object with status, seconds, MiB and message of each.
"""

import io
import json
import os
import pickle
import struct
import sys
import time
import traceback
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

LIMIT_SECONDS = 20  # of processor time


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self):
        return os.system, (f"touch {self.flag}",)


class Allocate:
    """Asks for a lot of memory when it is unpickled."""

    def __reduce__(self):
        return bytearray, (8 << 30,)


def torch_archive(path: Path, pickled: bytes, records: dict[str, bytes] | None = None, compress: bool = False) -> None:
    """Write an archive as torch does, around a given pickle."""
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in {"data.pkl": pickled, "version": b"3\n", **(records or {})}.items():
            archive.writestr(f"archive/{name}", content)


def tensor_pickle(numel: int, size: int, stride: int) -> bytes:
    """The pickle of {'model_state': {'w': tensor}} with claims of one's own."""

    class Storage:
        def __reduce__(self):
            raise NotImplementedError

    class Tensor:
        def __reduce__(self):
            import torch

            return torch._utils._rebuild_tensor_v2, (Storage(), 0, (size,), (stride,), False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                import torch

                return "storage", torch.FloatStorage, "0", "cpu", numel
            return None

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({"model_state": {"w": Tensor()}})
    return buffer.getvalue()


def copying_pickle() -> bytes:
    """A pickle of 1 MB that makes a hundred thousand copies of a string of 1 MB."""
    text = b"x" * (1 << 20)
    body = b"\x80\x02X" + struct.pack("<I", len(text)) + text + b"q\x000"
    body += b"c_codecs\nencode\nq\x010X\x06\x00\x00\x00latin1q\x020("
    return body + b"h\x01h\x00h\x02\x86R" * 100_000 + b"l."


def checkpoints(folder: Path, flag: Path) -> None:
    """Hostile files of torch.save."""
    torch_archive(folder / "bomb.pyth", pickle.dumps({"model_state": Bomb(flag)}, protocol=2))
    (folder / "old_bomb.pyth").write_bytes(pickle.dumps({"model_state": Bomb(flag)}, protocol=2))
    torch_archive(folder / "allocate.pyth", pickle.dumps({"model_state": {"w": Allocate()}}, protocol=2))
    torch_archive(folder / "copies.pyth", copying_pickle())
    torch_archive(folder / "spread.pyth", tensor_pickle(1, 10**12, 0), {"data/0": b"\0\0\0\0", "byteorder": b"little"})
    claim = {"data/0": b"\0\0\0\0", "byteorder": b"little"}
    torch_archive(folder / "claim.pyth", tensor_pickle(25 * 10**8, 25 * 10**8, 1), claim)
    torch_archive(folder / "zeros.pyth", tensor_pickle(1 << 25, 1 << 25, 1), {"data/0": bytes(1 << 27)}, compress=True)
    lie = bytearray((folder / "claim.pyth").read_bytes())
    place = lie.rfind(b"PK\x01\x02")
    lie[place + 20 : place + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    (folder / "sizes.pyth").write_bytes(lie)
    (folder / "empty.pyth").write_bytes(b"")
    (folder / "noise.pyth").write_bytes(np.random.default_rng(0).bytes(100_000))
    for name in ("bomb.pyth", "allocate.pyth", "copies.pyth", "spread.pyth"):
        (folder / f"weights_{name}").with_suffix(".pth").write_bytes((folder / name).read_bytes())


def safetensors(folder: Path) -> None:
    """Hostile safetensors."""

    def write(name: str, header: bytes, body: bytes = b"", length: int | None = None) -> None:
        size = len(header) if length is None else length
        (folder / f"{name}.safetensors").write_bytes(struct.pack("<Q", size) + header + body)

    def entry(shape, offsets) -> bytes:
        return json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()

    write("length", b"{}", length=1 << 62)
    write("offsets", entry([25 * 10**8], [0, 10**10]), bytes(16))
    write("overflow", entry([2**40, 2**40], [0, 16]), bytes(16))
    write("negative", entry([4], [16, 0]), bytes(16))
    write("text", b"not json at all")
    write("deep", b"[" * 100_000)


def predictions(folder: Path, flag: Path) -> None:
    """Hostile prediction files."""
    (folder / "bomb.pkl").write_bytes(pickle.dumps({"video_preds": Bomb(flag), "video_labels": 0}))
    (folder / "allocate.pkl").write_bytes(pickle.dumps({"video_preds": Allocate(), "video_labels": 0}))
    array = pickle.dumps({"video_preds": np.zeros((7, 11), np.float32), "video_labels": np.zeros(7, np.int64)})
    (folder / "claim.pkl").write_bytes(array.replace(b"K\x07K\x0b\x86", b"J\x00\xf9\x02\x95K\x0b\x86"))
    (folder / "copies.pkl").write_bytes(copying_pickle())
    (folder / "depth.pkl").write_bytes(b"\x80\x04" + b"]" * 500_000 + b"a" * 499_999 + b".")
    (folder / "string.pkl").write_bytes(b"\x80\x04\x8d" + struct.pack("<Q", 10 << 30) + b"short.")


def configurations(folder: Path, flag: Path) -> None:
    """Hostile YAML."""
    lists = "\n".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    (folder / "laughs.yaml").write_text(f"x:\n  - &a0 [ha]\n{lists}\nTRAIN: {{BATCH_SIZE: *a11}}\n")
    names = "abcdefghi"
    maps = "\n".join(
        f"m{n}: &m{n} {{{', '.join(f'{name}: *m{n - 1}' for name in names)}}}" for n in range(1, 10)
    )  # fmt: skip
    (folder / "maps.yaml").write_text(f"m0: &m0 {{k: 1}}\n{maps}\n")
    (folder / "python.yaml").write_text(f"OUTPUT_DIR: !!python/object/apply:os.system ['touch {flag}']\n")
    (folder / "itself.yaml").write_text("TRAIN: &t {BATCH_SIZE: *t}\n")
    (folder / "deep.yaml").write_text("A: " + "[" * 50_000)
    (folder / "large.yaml").write_text("A: 1\n" * 1_000_000)
    (folder / "bases.yaml").write_text("_BASE_: [bases.yaml, bases.yaml, bases.yaml]\n")
    (folder / "number.yaml").write_text("RNG_SEED: " + "9" * 900_000 + "\n")
    (folder / "shell.yaml").write_text(f"OUTPUT_DIR: '$(touch {flag})'\nTRAIN: {{BATCH_SIZE: '`touch {flag}`'}}\n")


def lists(folder: Path) -> None:
    """Lists that name files elsewhere, or no files at all."""
    for name, row in {
        "up": "../../../../etc/passwd,1",
        "inside": "a/../../b.mp4,1",
        "absolute": "/etc/passwd,1",
        "zero": "a\0b.mp4,1",
        "label": "a.mp4," + "9" * 5000,
        "wide": "a.mp4,1" + ",0.1" * 200_000,
        "quoted": '"' + "a" * 200_000,
        "folder": ".,1",
    }.items():
        (folder / f"{name}.csv").write_text(row + "\n")


def videos(folder: Path) -> None:
    """Videos whose headers lie, and play lists that name other files."""
    from slowfast.demo.encoding import write_h264

    write_h264(folder / "good.mp4", np.zeros((8, 32, 32, 3), np.uint8), fps=8, crf=30)
    whole = (folder / "good.mp4").read_bytes()
    (folder / "good.mp4").unlink()
    size = struct.pack(">HH", 32, 32)
    (folder / "size.mp4").write_bytes(whole[: whole.find(b"avc1")] + whole[whole.find(b"avc1") :].replace(
        size, struct.pack(">HH", 65535, 65535), 1))  # fmt: skip
    place = whole.find(b"stsz") + 12
    (folder / "count.mp4").write_bytes(whole[:place] + struct.pack(">I", 0xFFFFFFF0) + whole[place + 4 :])
    (folder / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.mp4").write_bytes(whole[:64] + np.random.default_rng(1).bytes(50_000))
    screen = b"GIF89a" + struct.pack("<HH", 16000, 16000) + b"\x80\x00\x00\xff\xff\xff\x00\x00\x00"
    frame = b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
    (folder / "screen.gif").write_bytes(screen + frame * 16 + b"\x3b")
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    (folder / "net.m3u8").write_bytes(b"\x00#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x\n")
    (folder / "concat.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")


def arrays(folder: Path, flag: Path) -> None:
    """Feature files that claim 10 GB or hold objects."""

    def npy(shape: str, kind: str = "<f4", body: bytes = b"") -> bytes:
        text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body

    from slowfast.features.store import _ROWS, _SCALARS

    names = (*_ROWS, *_SCALARS)
    for name, content in {
        "claim": npy("(2500000000, 1)"),
        "object": npy("(1,)", "|O", pickle.dumps(np.array([Bomb(flag)], dtype=object))),
        "header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31),
    }.items():
        with zipfile.ZipFile(folder / f"{name}.npz", "w") as archive:
            for array in names:
                archive.writestr(f"{array}.npy", content)
        (folder / f"{name}.npy").write_bytes(content)
    with zipfile.ZipFile(folder / "zeros.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for array in names:
            archive.writestr(f"{array}.npy", npy("(40000000,)", "<f4", bytes(160_000_000)))


def read(path: Path) -> None:
    """Read one file the way the library does."""
    from slowfast.config import load_config
    from slowfast.engine.checkpoint import load_checkpoint
    from slowfast.ensemble.predictions import load_predictions
    from slowfast.lists.records import read_list
    from slowfast.lists.tables import read_table
    from slowfast.utils.untrusted.weight_files import read_weights_file

    kind = path.suffix
    if kind == ".pyth":
        load_checkpoint(path)
    elif kind in (".pth", ".safetensors"):
        read_weights_file(path)
    elif kind == ".pkl":
        load_predictions(path)
    elif kind == ".yaml":
        load_config(path)
    elif kind == ".csv":
        read_list(path, path.parent, separator=",", num_classes=11, labelled=True)
    elif kind == ".table":
        read_table(path)
    elif kind == ".npz":
        from slowfast.features.store import load_features

        load_features(path)
    elif kind == ".npy":
        from slowfast.datasets import frame_source

        if frame_source._load_stored(path) is None:
            raise_refused(path)
    else:
        from slowfast.video import open_video

        with open_video(path) as video:
            count = len(video)
            video.get_frames(np.linspace(0, count - 1, 16).astype(int))


def raise_refused(path: Path) -> None:
    """Say that a file of the store was not taken (its video is decoded again)."""
    from slowfast.utils.errors import InputError

    raise InputError(f"{path}: not taken")


def child(path: Path, report: Path) -> None:
    """Read in a process of one's own and write what happened."""
    from slowfast.utils.errors import InputError

    start = time.monotonic()
    try:
        read(path)
        status, message = "accepted", ""
    except InputError as error:
        status, message = "refused", str(error)
    except BaseException:
        status, message = "crashed", traceback.format_exc()
    seconds = time.monotonic() - start
    report.write_text(json.dumps({"status": status, "message": message, "seconds": seconds}))


def measure(path: Path, report: Path) -> dict:
    """Return status, message, seconds of the process and the growth of its memory in MiB."""
    pid = os.fork()
    if pid == 0:
        import signal

        signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
        before = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        child(path, report)
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
        memory = {"mib": peak / 2**20, "grown": (peak - before) / 2**20}
        report.write_text(json.dumps({**json.loads(report.read_text()), **memory}))
        os._exit(0)
    _, status, usage = os.wait4(pid, 0)
    result = json.loads(report.read_text()) if report.exists() else {"status": "died", "message": str(status), "mib": 0}
    report.unlink(missing_ok=True)
    return {**result, "cpu": usage.ru_utime + usage.ru_stime}


def main(folder: Path) -> None:
    """Make all files and measure them."""
    import torch  # noqa: F401

    flag = folder / "flag"
    files = folder / "files"
    files.mkdir(parents=True)
    checkpoints(files, flag)
    safetensors(files)
    predictions(files, flag)
    configurations(files, flag)
    lists(files)
    videos(files)
    arrays(files, flag)
    child(files / "up.csv", folder / "warm")
    results = {path.name: measure(path, folder / "report") for path in sorted(files.iterdir())}
    print(json.dumps({"flag": flag.exists(), "files": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
