"""Rules of selection, files of features, exports and answers of predictions under odd pools, names and values."""

import json
import os
import random
from pathlib import Path

import numpy as np
from kinds import odd_name

from slowfast.apps.export_features import export_features
from slowfast.apps.predict import Answer, render, table
from slowfast.demo.encoding import write_h264
from slowfast.ensemble.label_free import ALIGNING, OVERTURNED, RULES, SURE, choose, fix_rows, rank_pool
from slowfast.features.store import FeatureIndex, Features, load_features, read_index, row_of, save_features
from slowfast.features.videos import find_videos
from slowfast.utils.files import write_json


def pool_of(rng: random.Random) -> np.ndarray:
    """A pool of any size, classes, certainty and sidedness; some rows are missing, some tied, some certain."""
    numbers = np.random.default_rng(rng.getrandbits(32))
    rows, classes = rng.choice([1, 2, 7, 40, 150, 400]), rng.choice([2, 3, 5, 11])
    share, gain = rng.choice([0.0, 0.5, 0.9, 1.0]), rng.choice([0.0, 1.0, 3.0, 6.0, 30.0, 700.0])
    labels_N = np.where(numbers.random(rows) < share, rng.randrange(classes), numbers.integers(0, classes, rows))
    logits_NK = gain * np.eye(classes)[labels_N] + rng.choice([0.0, 0.5, 2.0]) * numbers.normal(size=(rows, classes))
    probs_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    probs_NK /= probs_NK.sum(axis=1, keepdims=True)
    probs_NK[numbers.random(rows) < rng.choice([0.0, 0.0, 0.1, 0.9])] = np.nan
    return probs_NK


def selection_case(rng: random.Random, work: Path) -> str:
    """Line 5: whatever the pool, a rule ranks what has scores, spreads no sure labels and selects as many as asked."""
    probs_NK = pool_of(rng)
    known_N = ~np.isnan(probs_NK).any(axis=1)
    witnesses = [np.random.default_rng(1).permutation(probs_NK) for _ in range(rng.randrange(3))]
    rule, coverage = rng.choice(sorted(RULES)), rng.choice([None, 0.01, 0.5, 1.0])
    ranking = rank_pool(probs_NK, witnesses, rule)
    fixed_N = np.full(len(probs_NK), -2)
    fixed_N[rng.randrange(len(probs_NK))] = rng.choice([-2, -1, 0])
    sure_N = known_N & (np.nan_to_num(probs_NK).max(axis=1) > SURE)
    turned = (ranking.labels != np.nan_to_num(probs_NK).argmax(axis=1))[sure_N]
    wrong = []
    if rule != "keep-better" and len(turned) and turned.mean() > OVERTURNED:
        wrong.append(f"{turned.mean():.2f} of the sure labels are others")
    if ranking.unaligned and rule not in ALIGNING:
        wrong.append("unaligned")
    if not np.allclose(ranking.probs[known_N].sum(axis=1), 1) or not np.isfinite(ranking.confidence[known_N]).all():
        wrong.append("no probabilities")
    fix_rows(ranking, fixed_N)
    free_N = known_N & (fixed_N == -2)
    rows = choose(ranking, coverage).tolist()
    least = 1 if free_N.any() else 0
    asked = len(rows) if coverage is None else min(max(1, round(coverage * len(free_N))), free_N.sum())
    if len(set(rows)) < len(rows) or not free_N[rows].all() or len(rows) != asked or len(rows) < least:
        wrong.append(f"{len(rows)} rows selected of {free_N.sum()}")
    return f"{rule} {coverage} {probs_NK.shape}: {wrong}" if wrong else ""


def sound_features(rows: int = 3) -> Features:
    """Features of a few windows."""
    places_N = np.arange(rows)
    return Features(
        feats=np.ones((rows, 4), np.float32), probs=np.full((rows, 2), 0.5, np.float32), start_frame=places_N,
        end_frame=places_N + 15, start_time=places_N / 8.0, end_time=(places_N + 15) / 8.0, fps=8.0, source_fps=8.0,
        stride=1, window=16, num_frames=rows + 15, problems="", settings="{}",
    )  # fmt: skip


def place_case(rng: random.Random, work: Path) -> str:
    """Line 8: every video of any name has one place for its features and one row of the index, or is told a twin."""
    names = {f"{odd_name(rng, 3)}{'n' * rng.choice([0, 0, 200])}.mp4" for _ in range(rng.randint(1, 5))}
    for name in names:
        place = work / "in" / rng.choice(["a", "b/a", odd_name(rng, 2)])
        place.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    there = sum(len(files) for _, _, files in os.walk(work / "in"))
    videos = find_videos(work / "in", work / "out")
    index = FeatureIndex(work / "out")
    for video in videos:
        if not video.twin:
            save_features(video.output, sound_features())
            index.add(row_of(video.name, load_features(video.output)), video)
    index.flush(mark=True)
    own = [video for video in videos if not video.twin]
    rows = read_index(work / "out/features.csv")
    if len(videos) != there or len({video.output for video in own}) != len(own) or len(rows) != len(own):
        return f"{sorted(map(str, (work / 'in').rglob('*')))}: {len(videos)} videos, {len(rows)} rows"
    return "" if all(row.status == "ok" for row in rows) else f"{rows}"


def answer_case(rng: random.Random, work: Path) -> str:
    """Line 10: answers with any names are printed, written as JSON and drawn, each copy inside its folder."""
    write_h264(work / "clip.mp4", np.full((2, 32, 40, 3), 30, np.uint8), fps=5, crf=40)
    names = list({f"{odd_name(rng, 4)}{rng.choice(['.mp4', '.avi', '', 'n' * 240])}" for _ in range(2)})
    answers = [Answer(name, work / "clip.mp4", [(odd_name(rng, 3).replace("\udcff", "?"), 0.5)]) for name in names]
    text = table(answers, 3)
    text.encode(errors="surrogateescape")
    write_json(work / "a.json", [answer.as_dict(2) | {"video": str(number)} for number, answer in enumerate(answers)])
    copies = [render(answer, work / "out", set(names)) for answer in answers]
    inside = all((work / "out") in path.resolve().parents and path.stat().st_size for path in copies)
    whole = len(json.loads((work / "a.json").read_text())) == len(set(copies)) == len(names)
    return "" if inside and whole and text.count("\n") == 2 * len(names) - 1 else f"{names}: {copies} {text!r}"


def odd_actions(rng: random.Random) -> str:
    """Annotations whose values, keys or form may be odd."""
    number = rng.choice(["0", "0", "1", "1.5", "2", "-1", "NaN", "Infinity", "1e999", '"2"', "null", "[1]", "true"])
    label = rng.choice(['"run"', '"run"', '"a"', '"跑"', '""', "3", '"a\\nb"', '"\\ud800"', "null", '" "'])
    more = rng.choice(["", "", "", ', "score": NaN', ', "x": ' + "[" * 400 + "]" * 400, ', "label_id": 7'])
    action = f'{{"label": {label}, "segment": [{number}, {rng.choice(["3", "2.5", number])}]{more}}}'
    subset = rng.choice(['"subset": "test", ', '"subset": 3, ', "", ""])
    name = rng.choice(["a", "b", "é", "", "../x", "\\n"])
    return f'{{"database": {{"{name}": {{{subset}"annotations": [{action}]}}}}}}'


def export_case(rng: random.Random, work: Path) -> str:
    """Line 10: an export holds what toolkits can read, of all videos, or is refused."""
    odd = {"fps": [0.0, 1e-9, 1e9, np.nan, 30.0], "stride": [0, -1, 2**40, 2], "window": [0, 2**40, 1],
           "num_frames": [0, 2**50, 3], "class_names": [("a", "b"), ("a",), ("x\ny", "b")]}  # fmt: skip
    for name in ("a", "b"):
        changed = {key: rng.choice(odd[key]) for key in rng.sample(sorted(odd), rng.choice([0, 0, 1]))}
        save_features(work / "in" / "u" / f"{name}.npz", Features(**vars(sound_features()) | changed))
    actions = work / "actions.json"
    actions.write_text(odd_actions(rng), encoding="utf-8")
    kind = rng.choice(("actionformer", "opentad", "npy"))
    export_features(work / "in", work / "out", kind, actions if rng.random() < 0.7 else None)
    if kind == "npy":
        videos = json.loads((work / "out/index.json").read_text())
        return (
            "" if all((work / "out" / f"{key}.npy").is_file() for key in videos) and len(videos) == 2 else f"{videos}"
        )
    written = json.loads((work / "out/annotations.json").read_text(), parse_constant=lambda text: 1 / 0)["database"]
    classes = (work / "out/category_idx.txt").read_text().splitlines()
    for key, video in written.items():
        np.load(work / "out/features" / f"{key}.npy", allow_pickle=False)
        numbers = [action["label_id"] for action in video["annotations"]]
        if not 0 < video["fps"] < 1e9 or any(classes[number] == "" for number in numbers) or len(written) != 2:
            return f"{written}"
    return ""


COMMANDS = {"selection": selection_case, "places": place_case, "answers": answer_case, "exports": export_case}
