"""A head to begin with (TRAIN.FIT_HEAD): fitted before the first step to what the starting weights see in light clips.

A fresh head sends random gradients into weights that are good already, and the first epochs mend that. A head that fits
them leaves them more as they were, which helps most on clips of other conditions (Kumar et al., "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022).
"""

import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.engine.evaluator import Evaluator
from slowfast.models.network import Network, trained_names
from slowfast.utils.errors import InputError

logger = logging.getLogger(__name__)

# Weight of the squared coefficients of standardised features, and of the smoothing of labels.
PENALTY, SMOOTHING = 1e-3, 0.1
_STEPS = 200


class _Features(nn.Module):
    """A network that gives what its classifier reads, (B, D), in place of logits."""

    def __init__(self, network: Network, classifier: nn.Linear) -> None:
        super().__init__()
        self.network, self.classifier = network, classifier

    def forward(self, clips_BCTHW: Tensor) -> Tensor:
        """Return (B, D) of clips (B, 3, T, H, W)."""
        seen: list[Tensor] = []
        hook = self.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            self.network(clips_BCTHW)
        finally:
            hook.remove()
        return seen[0]


def fit_head(network: Network, evaluator: Evaluator) -> None:
    """Fit the classifier of a network to labelled clips, in place; nothing else in it changes.

    Args:
        network: on its device, with its starting weights.
        evaluator: of the labelled training clips, one view each. All processes take part and get the same head.

    Raises:
        InputError: the head does not end in one linear layer, or no clip can be read.
        Preempted: this process was asked to stop.
    """
    classifier = _classifier(network, evaluator.num_classes)
    evaluator.num_classes, evaluator.class_names = classifier.in_features, None
    predictions = evaluator.predict(_Features(network, classifier))
    known_N = predictions.known
    if not known_N.any():
        raise InputError(f"TRAIN.FIT_HEAD: no clip of {evaluator.split} can be read")
    labels_N = predictions.video_labels[known_N]
    weight_KD, bias_K = fit_linear(predictions.video_preds[known_N], labels_N, classifier.out_features)
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(weight_KD))
        classifier.bias.copy_(torch.from_numpy(bias_K))
    right = (predictions.video_preds[known_N] @ weight_KD.T + bias_K).argmax(axis=1) == labels_N
    logger.info(
        "head fitted to %d clips of %s before training: top-1 %.2f %% of these training clips",
        len(labels_N), evaluator.split, 100.0 * right.mean(),
    )  # fmt: skip


def fit_linear(features_ND: np.ndarray, labels_N: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (K, D) and bias (K,) of a penalised multinomial logistic regression, float32.

    Args:
        features_ND: any finite values; they are standardised inside.
        labels_N: 0..K-1.
        num_classes: K; a class without a clip gets a low score.
    """
    x_ND = torch.as_tensor(features_ND, dtype=torch.float64)
    mean_D, spread_D = x_ND.mean(0), x_ND.std(0, correction=0)
    # A feature that does not vary tells nothing and gets no weight.
    scale_D = torch.where(spread_D > 1e-6 * (1.0 + mean_D.abs()), 1.0 / spread_D, 0.0)
    z_ND, labels = (x_ND - mean_D) * scale_D, torch.as_tensor(labels_N)
    weight_KD = torch.zeros(num_classes, x_ND.shape[1], dtype=torch.float64, requires_grad=True)
    bias_K = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight_KD, bias_K], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = F.cross_entropy(z_ND @ weight_KD.T + bias_K, labels, label_smoothing=SMOOTHING)
        value = value + PENALTY * weight_KD.square().sum()
        value.backward()
        return value

    solver.step(loss)
    weight_KD = weight_KD.detach() * scale_D
    bias_K = bias_K.detach() - weight_KD @ mean_D
    return weight_KD.float().numpy(), bias_K.float().numpy()


def _classifier(network: Network, num_classes: int) -> nn.Linear:
    """Return the linear layer of the head that gives the logits."""
    prefixes = trained_names(network)
    found = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == num_classes and f"{name}.".startswith(prefixes)
    ]
    if len(found) != 1 or found[0].bias is None:
        raise InputError(
            f"TRAIN.FIT_HEAD: the head of {type(network).__name__} does not end in one linear layer of {num_classes} "
            "classes with a bias; set it False"
        )
    return found[0]
