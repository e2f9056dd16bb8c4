"""The one way to run a trained network: its weights checked, BatchNorm folded, adapted when that is wanted, tested."""

import copy
import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import TestSetting
from slowfast.datasets.loader import build_loader, build_pool_loader, gamma_of
from slowfast.datasets.sampling import FrameSampling
from slowfast.datasets.sources import Sources
from slowfast.datasets.splits import is_light, kind_of_clips
from slowfast.engine.adapt import ADAPTATIONS, Adaptation, Pool
from slowfast.engine.build import build_evaluator, resolve_tests, test_precision
from slowfast.engine.checkpoint import CheckpointFolder, unwrap, verify_checkpoint
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.methods.trunk_cache import stored_loader
from slowfast.engine.parents import Origin, is_made, origin_of_test
from slowfast.engine.run import BEST
from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.models import build_model, load_trained_weights
from slowfast.models.accelerate import accelerate
from slowfast.models.compile import compiled
from slowfast.models.fold import fold_batchnorm
from slowfast.models.freeze import release_modes
from slowfast.models.weights import LoadReport, head_prefixes
from slowfast.report import write_confusion
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path
from slowfast.utils.scores import confusion_matrix, mean_average_precision, top_errors

logger = logging.getLogger(__name__)

# With more classes the table of confusions is too large to be read.
_MOST_CLASSES = 60


class Predictor:
    """A trained network and how it is run: `network` as it stands, or adapted to a pool.

    Args:
        cfg: TEST, ADAPT, BN and DATA are read.
        model: the plain network with its weights; it is not changed.
        device: where it runs.
        report: what loading its weights reported.
    """

    def __init__(self, cfg: CfgNode, model: nn.Module, device: torch.device, report: LoadReport | None = None) -> None:
        self.cfg, self.device, self.report = cfg, device, report
        self.model = unwrap(model).to(device)
        release_modes(self.model)
        self.model.eval()
        self.precision = test_precision(cfg, device)

    @classmethod
    def load(
        cls,
        cfg: CfgNode,
        path: Path | None,
        device: torch.device,
        *,
        model: nn.Module | None = None,
        new_head: bool = False,
    ) -> "Predictor":
        """Return a network with the weights of a file.

        Args:
            cfg: the network and how it is run.
            path: the weights; None: random ones from RNG_SEED.
            device: where it runs.
            model: the network, when it is built already.
            new_head: the head may stay as it is built: only features are wanted.

        Raises:
            InputError: the file is damaged, lacks a tensor of the network, or holds numbers that are not finite.
        """
        if model is None:
            torch.manual_seed(cfg.RNG_SEED)
            model = build_model(cfg)
        if path is None:
            return cls(cfg, model, device)
        verify_checkpoint(path)
        report = load_trained_weights(cfg, model, path, head=not new_head)
        logger.info("%s", report.summary())
        _check_weights(model, report, cfg.MODEL.NUM_CLASSES, new_head=new_head)
        return cls(cfg, model, device, report)

    @functools.cached_property
    def stored(self) -> Callable[..., Any]:
        """What makes stored batches of a loader, of the trunk before any adaptation."""
        return stored_loader(self.cfg, self.model, self.device)

    @functools.cached_property
    def network(self) -> nn.Module:
        """The network as it is run: a copy for evaluation."""
        return self._as_run(self.model)

    def adapted(self, adaptation: Adaptation, pool: Pool) -> nn.Module:
        """Return the network as it is run after an adaptation; all processes get that of the main one."""
        model = self.network
        if adaptation.trains:
            model = accelerate(copy.deepcopy(self.model), device=self.device, training=True)
        with self.precision.active(self.device):
            changed = adaptation.adapt(model, pool)
        if not isinstance(changed, nn.Module):
            name, kind = type(adaptation).__name__, type(changed).__name__
            raise InputError(f"{ADAPTATIONS.key}: adapt of {name} returned a {kind}; return the network to test")
        changed.eval()
        for tensor in changed.state_dict().values():
            distributed.share_(tensor)
        return self._as_run(changed) if adaptation.trains and changed is model else changed

    def pool(
        self,
        adaptation: Adaptation,
        split: str,
        *,
        paths: Sequence[Path] = (),
        gammas: Sequence[float] | None = None,
        gamma: float | None = None,
    ) -> Pool:
        """Return the clips of a split, or of video files, for an adaptation.

        Args:
            adaptation: says which views.
            split: a name of DATA.SPLITS; with `paths` only for messages.
            paths: video files that stand in no list.
            gammas: exponent of each of these; default DATA.GAMMA.TEST.
            gamma: exponent of dark clips of a split (light ones have their own); default as in a test.
        """
        if paths:
            loader = build_pool_loader(self.cfg, split, paths=paths, gammas=gammas)
        else:
            light = is_light(split, self.cfg.DATA.SPLITS)
            gamma = gamma_of(self.cfg, split, "bn" if light else "test") if light or gamma is None else gamma
            views = functools.partial(build_loader, role="bn", train=True)
            loader = (views if adaptation.training_views else build_pool_loader)(self.cfg, split, gamma=gamma)
        return Pool(loader, limit=adaptation.limit, clips_of=lambda batch: batch["clips"].to(self.device), name=split)

    def predict(self, evaluator: Evaluator, network: nn.Module, parts: Sequence[Sequence[int]]) -> list[Predictions]:
        """Return the predictions of a network from some of the clips of every video, for each choice of clips.

        Raises:
            InputError: no readable video has finite scores.
        """
        results = evaluator.predict_parts(network, parts)
        for predictions in results:
            self._check_finite(predictions, evaluator.split)
        return results

    def _check_finite(self, predictions: Predictions, split: str) -> None:
        """Warn of videos without finite scores; see `predict`."""
        failed = set(predictions.failed)
        wrong = [
            name
            for name, missing in zip(predictions.video_names, predictions.missing)
            if missing and name not in failed
        ]
        if not wrong:
            return
        text = f"{split}: {len(wrong)} videos have scores that are NaN or infinite ({self.precision.name})"
        if len(wrong) == len(predictions.video_names) - len(failed):
            raise InputError(f"{text}, all that can be read: set TEST.MIXED_PRECISION off, or use other weights")
        logger.warning("%s, their rows cannot be used: %s", text, ", ".join(wrong[:10]))

    def _as_run(self, model: nn.Module) -> nn.Module:
        """Return a copy for evaluation, in the forms of the device."""
        model = accelerate(fold_batchnorm(model), device=self.device, training=False)
        return compiled(model, self.cfg.TEST.COMPILE, training=False)


def _check_weights(model: nn.Module, report: LoadReport, num_classes: int, *, new_head: bool) -> None:
    """Refuse weights whose head is that of other classes, unless it is not used, and those that are not finite."""
    head = [name for name in report.missing if name.startswith(head_prefixes(model))]
    if head and not new_head:
        raise InputError(
            f"{report.path}: {len(head)} tensors of the network are not in it, {head[0]!r} for example: it belongs to"
            f" another configuration or to {num_classes} other classes"
        )
    if head:
        logger.warning("%s: the head is random, its probabilities mean nothing", report.path)
    wrong = [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]
    if wrong:
        raise InputError(
            f"{report.path}: {len(wrong)} of its tensors hold NaN or infinite numbers, {wrong[0]!r} for example: its"
            " training went wrong, use an earlier checkpoint"
        )


def find_adaptation(cfg: CfgNode, name: str, model: nn.Module) -> Adaptation:
    """Return an adaptation by its name.

    Raises:
        InputError: there is none of that name, or the network has nothing that it could change.
    """
    adaptation = ADAPTATIONS[name](cfg)
    if not adaptation.can_adapt(model):
        raise InputError(
            f"{ADAPTATIONS.key} {name} has nothing to adapt: this {cfg.MODEL.ARCH} has not {adaptation.needs}; choose"
            " another adaptation"
        )
    return adaptation


def check_adaptations(cfg: CfgNode, model: nn.Module) -> None:
    """Look before a run whether every adaptation of its tests can be done.

    BatchNorm statistics in TEST.ALSO are left out with a warning, since one list serves networks with and without it.

    Raises:
        InputError: see `find_adaptation`.
    """
    for setting in resolve_tests(cfg):
        if setting.adapt and not _left_out(cfg, setting, model):
            find_adaptation(cfg, setting.adapt, model)


def _left_out(cfg: CfgNode, setting: TestSetting, model: nn.Module) -> bool:
    """Return whether a test with BatchNorm statistics of a split is one without, for want of BatchNorm."""
    if setting.adapt != "batchnorm" or cfg.TEST.ADAPT == "batchnorm" or ADAPTATIONS["batchnorm"](cfg).can_adapt(model):
        return False
    logger.warning("%s%s: no BatchNorm to adapt, tested as it is", setting.split, setting.suffix)
    return True


@dataclasses.dataclass(frozen=True)
class _Planned:
    """A test that is still to do: its setting, exponent of the gamma correction, PKL, and what that is made from."""

    setting: TestSetting
    gamma: float
    path: Path
    origin: Origin


def test(cfg: CfgNode, model: nn.Module, output: Path, device: torch.device, sources: Sources) -> None:
    """Test the chosen weights on TEST.DATA_SELECT and TEST.ALSO; each gives one PKL in `output`.

    One that is there already, made by this code from the same weights, clips and settings, stays. Tests whose clips are
    among those of another (the middle view and crop of 3x3 are all of 1x1) are done together.
    """
    weights = test_checkpoint(cfg, output)
    predictor = Predictor.load(cfg, weights, device, model=model)
    to_do = []
    for setting in resolve_tests(cfg):
        gamma = gamma_of(cfg, setting.split, "test") if setting.gamma is None else setting.gamma
        size = f"{cfg.DATA.NUM_FRAMES}x{cfg.DATA.TEST_CROP_SIZE}x{setting.views}x{setting.crops}"
        path = output / f"{setting.split}x{size}{setting.suffix}.pkl"
        adapted = bool(setting.adapt) and not _left_out(cfg, setting, predictor.model)
        setting = setting if adapted else dataclasses.replace(setting, adapt="")
        how = {"gamma": gamma, "precision": predictor.precision.name}
        origin = distributed.from_main(functools.partial(origin_of_test, cfg, sources, setting, weights, **how))
        if distributed.from_main(functools.partial(is_made, path, origin.made_of)):
            logger.info("%s is there, made from these weights, clips and settings", path.name)
        else:
            to_do.append(_Planned(setting, gamma, path, origin))
    while to_do:
        done = _predictions(predictor, to_do)
        for planned, predictions in done if distributed.is_main() else ():
            made_of = planned.origin.made_of.as_plain(marks=False)
            save_predictions(planned.path, dataclasses.replace(predictions, made_of=made_of))
            planned.origin.record(planned.path)
            _log_test(planned.path.stem, predictions, kind_of_clips(planned.setting.split, cfg.DATA.SPLITS))
            _write_confusion(planned.path, predictions)
        to_do = [one for one in to_do if all(one is not planned for planned, _ in done)]


def _predictions(predictor: Predictor, to_do: Sequence[_Planned]) -> list[tuple[_Planned, Predictions]]:
    """Return the predictions of the widest of the tests that are like the first one, and of those that it contains.

    They are those of a later run, up to rounding where that has other tests to do.
    """
    cfg, network = predictor.cfg, predictor.network
    distributed.seed_generators(cfg.RNG_SEED)
    alike = [one for one in to_do if _same_clips(one, to_do[0])]
    widest = max(alike, key=lambda one: one.setting.views * one.setting.crops)
    setting = widest.setting
    if setting.adapt:
        adaptation = find_adaptation(cfg, setting.adapt, predictor.model)
        network = predictor.adapted(adaptation, predictor.pool(adaptation, setting.adapt_split, gamma=setting.gamma))
    evaluator = build_evaluator(
        cfg,
        setting.split,
        "test",
        predictor.device,
        views=setting.views,
        crops=setting.crops,
        gamma=widest.gamma,
        score=cfg.TEST.SCORE,
    )
    sampling = evaluator.loader.dataset.sampling
    if not setting.adapt:
        evaluator.loader = predictor.stored(evaluator.loader)
    parts = [(one, _clips_of(one.setting, setting, sampling)) for one in alike]
    parts = [(one, clips) for one, clips in parts if clips]
    for one, _ in parts:
        if one is not widest:
            logger.info("%s: from some of the clips of %s", one.path.stem, widest.path.stem)
    found = predictor.predict(evaluator, network, [clips for _, clips in parts])
    return [(one, predictions) for (one, _), predictions in zip(parts, found)]


def _same_clips(one: _Planned, other: _Planned) -> bool:
    """Return whether two tests differ in nothing but the number of views and crops."""
    same = {"views": other.setting.views, "crops": other.setting.crops}
    return dataclasses.replace(one.setting, **same) == other.setting


def _clips_of(setting: TestSetting, widest: TestSetting, sampling: FrameSampling) -> list[int]:
    """Return the numbers of the clips of a test among those of another one; empty: they are not all there."""
    crops = range(widest.crops) if setting.crops == widest.crops else (1,) if setting.crops == 1 else ()
    views = sampling.places(setting.views, widest.views)
    return [view * widest.crops + crop for view in views for crop in crops]


def test_checkpoint(cfg: CfgNode, output: Path) -> Path:
    """Return the weights to test: the given file, the best, the last, or the starting weights.

    Raises:
        InputError: there are none.
    """
    if cfg.TEST.CHECKPOINT_FILE_PATH:
        return repo_path(cfg.TEST.CHECKPOINT_FILE_PATH)
    last = CheckpointFolder(output / "checkpoints").numbered()[-1:]
    candidates = [output / BEST] if cfg.TEST.TEST_BEST else []
    candidates += last
    if cfg.TRAIN.CHECKPOINT_FILE_PATH:
        candidates.append(repo_path(cfg.TRAIN.CHECKPOINT_FILE_PATH))
    for path in candidates:
        if path.is_file():
            if cfg.TEST.TEST_BEST and path.name != BEST:
                logger.warning("%s has no %s: testing %s", output, BEST, path)
            return path
    raise InputError(
        f"{output} has no {BEST} and no checkpoint: train first (run.sh), or set TEST.CHECKPOINT_FILE_PATH"
    )


def _write_confusion(path: Path, predictions: Predictions) -> None:
    """Write what the labelled videos of a test were taken for, as a table and a picture beside its PKL."""
    known, several = predictions.known, predictions.video_targets is not None
    if known.any() and len(predictions.class_names) <= _MOST_CLASSES and not several:
        answers = predictions.video_preds[known].argmax(1)
        counts = confusion_matrix(answers, predictions.video_labels[known], len(predictions.class_names))
        write_confusion(path.with_suffix(""), counts, predictions.class_names)


def _log_test(name: str, predictions: Predictions, kind: str) -> None:
    """Log accuracy or mean average precision, on which clips, and unreadable videos of a test."""
    known, targets_NK = predictions.known, predictions.video_targets
    text = f"{name}: {len(predictions.video_labels)} videos"
    if known.any() and targets_NK is not None:
        mean, classes = mean_average_precision(predictions.video_preds[known], targets_NK[known])
        text += f", mAP {mean:.2f} % of {int(known.sum())} {kind} over {classes} classes"
    elif known.any():
        top1, _ = top_errors(predictions.video_preds[known], predictions.video_labels[known])
        text += f", top-1 {100.0 - top1:.2f} % of {int(known.sum())} {kind}"
    if predictions.failed:
        text += f", {len(predictions.failed)} could not be read: {', '.join(predictions.failed[:10])}"
    logger.info(text)
