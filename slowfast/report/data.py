"""What a report shows, and the steps of the method in order. Legend: T frames, H W, K classes."""

from dataclasses import dataclass, field

import numpy as np

MEAN, VOTE = "mean", "vote"


@dataclass(frozen=True)
class Step:
    """One rung of the ladder: its name in `metrics.json`, a short title and what it means."""

    name: str
    title: str
    text: str


STEPS = (
    Step(
        "source_only",
        "Source only",
        "Networks trained on labelled, normally lit clips meet dark clips as they are: the BatchNorm statistics are "
        "those of the light clips, and nothing is brightened.",
    ),
    Step(
        "gamma",
        "+ gamma",
        "Each dark frame passes a fixed brightening curve (gamma correction) before the same networks see it. The "
        "networks do not change.",
    ),
    Step(
        "adapt_bn",
        "+ adapted BN",
        "The BatchNorm statistics are taken again from unlabelled dark clips. No gamma and no labels: this shows what "
        "adapting alone is worth.",
    ),
    Step(
        "adapt_bn_gamma",
        "+ both",
        "Statistics taken from dark clips with the gamma used in testing. This is where the pseudo-labels start.",
    ),
    *(
        Step(
            f"pseudo_{stage}",
            f"Pseudo-labels {stage}",
            "The four voters label the unlabelled dark pool together, the labels they trust are kept, and every "
            "network trains on light clips and on these dark clips in turn. Each round labels the pool anew.",
        )
        for stage in range(1, 5)
    ),
    Step(
        "no_pseudo",
        "No pseudo-labels",
        "The control: as many further updates from the same weights on light clips only, with the same tests. What "
        "the rounds gain beyond it comes from the pseudo-labels.",
    ),
    Step(
        "expert",
        "+ expert",
        "A fifth network joins in: trained on the last round's labels with densely sampled frames, so that it sees "
        "fast motion that the others step over. From here on mean and vote are those of five.",
    ),
    Step(
        "tta_1x3",
        "1 x 3 views",
        "Every video is seen once in time and with three crops in space; the scores are added up.",
    ),
    Step("tta_3x3", "3 x 3 views", "Three moments times three crops: nine views of every video."),
    Step(
        "ensemble",
        "Final vote",
        "The submission: all five networks with all their views, mixed and put to the vote.",
    ),
)

_TITLES = {step.name: step.title for step in STEPS}


def title_of(step: str) -> str:
    """Return the title of a step, or its name when it is none of `STEPS`."""
    return _TITLES.get(step, step)


@dataclass(frozen=True)
class LadderRow:
    """One accuracy on the dark test set.

    Attributes:
        step: name of a `Step`.
        model: a voter, `mean` (of the voters' accuracies) or `vote` (their fused prediction).
        views: temporal views of a video.
        crops: crops of a view.
        top1: percent.
        group: what the step was measured on; no line joins steps of two groups.
    """

    step: str
    model: str
    views: int
    crops: int
    top1: float
    group: str = ""


@dataclass(frozen=True)
class StepResult:
    """The fused prediction of one step, class by class.

    Attributes:
        step: name of a `Step`.
        per_class_K: float (K,), accuracy in percent, NaN for a class without clips.
        confusion_KK: int (K, K), rows are the truth.
    """

    step: str
    per_class_K: np.ndarray
    confusion_KK: np.ndarray


@dataclass(frozen=True)
class PseudoRound:
    """The pseudo-labels of one round, measured against the pool's withheld truth where there is one.

    Attributes:
        stage: the round, from 1.
        selected: labelled rows.
        pool: rows of the pool.
        precision: right ones among the labelled rows, percent; None where no truth is known.
        precision_K: float (K,), the same per given label.
        coverage_K: float (K,), labelled rows of each true class, percent.
        estimated: precision as estimated without labels, percent.
        shares_K: float (K,), labelled rows of each class among all labelled ones, percent.
        changes: rows that kept their label of the round before, have another one, are new, are gone.
        name: of the table; empty: its round.
    """

    stage: int
    selected: int
    pool: int
    precision: float | None = None
    precision_K: np.ndarray | None = None
    coverage_K: np.ndarray | None = None
    estimated: float | None = None
    shares_K: np.ndarray | None = None
    changes: tuple[int, int, int, int] | None = None
    name: str = ""

    @property
    def title(self) -> str:
        """What the page calls it."""
        return self.name or f"round {self.stage}"

    @property
    def coverage(self) -> float:
        """Labelled share of the pool in percent."""
        return 100.0 * self.selected / self.pool


@dataclass(frozen=True)
class Heat:
    """A table of percentages.

    Attributes:
        title: above it.
        rows: names of its R rows.
        columns: name to R values; NaN where there is none.
    """

    title: str
    rows: list[str]
    columns: dict[str, list[float]]


@dataclass(frozen=True)
class Curve:
    """Lines over the epochs of some runs.

    Attributes:
        group: runs that are shown together.
        title: what is measured, with its unit.
        lines: run to its points (epoch, value), which are finite.
    """

    group: str
    title: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Guess:
    """A label with its confidence in 0..1."""

    label: int
    confidence: float


@dataclass(frozen=True)
class ClipExample:
    """A dark test clip before and after gamma.

    Attributes:
        name: name in the list.
        truth: class.
        dark_THWC: uint8 (T, H, W, 3), as recorded.
        bright_THWC: uint8 (T, H, W, 3), after gamma.
        before: what the source networks said.
        after: what the last step said.
    """

    name: str
    truth: int
    dark_THWC: np.ndarray
    bright_THWC: np.ndarray
    before: Guess
    after: Guess


@dataclass
class ReportData:
    """Everything on the page.

    Attributes:
        title: headline.
        class_names: K names.
        ladder: rows in the order of `STEPS`.
        steps: the fused prediction of every step.
        rounds: pseudo-labels per round.
        clips: example clips.
        seconds: duration of every job.
        settings: what was run, name to text.
        heats: tables of agreement.
        curves: of the trainings.
        voters: whose labels `films` hold.
        films: clips of the list that can be filtered, as plain types: name `n`, address `f` or reason `e`, label `l`,
            confidence `c`, margin `m`, truth `t`, per voter `v` [label, confidence] or None, rounds `r` [name, label].
        films_text: the sentence above them.
        notes: what could not be read or shown.
        numbers: headline figures (value, text); empty: those of the demo.
        lead: the sentence below the headline.
    """

    title: str
    class_names: list[str]
    ladder: list[LadderRow]
    steps: list[StepResult] = field(default_factory=list)
    rounds: list[PseudoRound] = field(default_factory=list)
    clips: list[ClipExample] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    heats: list[Heat] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    voters: list[str] = field(default_factory=list)
    films: list[dict] = field(default_factory=list)
    films_text: str = ""
    notes: list[str] = field(default_factory=list)
    numbers: list[tuple[str, str]] = field(default_factory=list)
    lead: str = (
        "From labelled clips in normal light and unlabelled dark clips to labels for the dark: what every step of the "
        "method adds, measured on a dark test set on which nothing was chosen."
    )

    @property
    def models(self) -> list[str]:
        """The single networks, in the order of their first row."""
        return list(dict.fromkeys(row.model for row in self.ladder if row.model not in (MEAN, VOTE)))

    def top1(self, step: str, model: str) -> float | None:
        """Return the accuracy of a row, the last one when a step was tested with several numbers of views."""
        found = [row.top1 for row in self.ladder if (row.step, row.model) == (step, model)]
        return found[-1] if found else None
