"""Published weights that load here, and the table of them; MODEL_ZOO.md is generated from this file."""

from dataclasses import dataclass

CHECK = "see source"
UNIFORMER_SOURCE = "https://github.com/Sense-X/UniFormer"
PYSLOWFAST_SOURCE = "https://github.com/facebookresearch/SlowFast"
ALPHACTION_SOURCE = "https://github.com/MVIG-SJTU/AlphAction"
VIDEOMAE_SOURCE = "https://github.com/MCG-NJU/VideoMAE"
UPSTREAM_SOURCE = "https://github.com/Andy1621/Nightcrawler"


@dataclass(frozen=True)
class Published:
    """Weights that others published.

    Attributes:
        name: network and data.
        arch: MODEL.ARCH.
        file: where the experiments look for it, or the usual file name.
        source: link to the project that publishes it.
        licence: licence of that project as far as it is stated there; weights may have one of their own.
        metric: what its authors report.
        note: how it differs from a file of this library.
    """

    name: str
    arch: str
    file: str
    source: str
    licence: str
    metric: str
    note: str


@dataclass(frozen=True)
class Backbone:
    """A network of another library.

    Attributes:
        arch: MODEL.ARCH.
        backbone: MODEL.BACKBONE.
        source: link to where weights are described.
        licence: of the weights, as far as it is stated there.
        clips: frames x pixels that it takes; `any` where it takes others too.
        batchnorm: BatchNorm layers, which adaptation of statistics reaches; with 0 it does nothing.
        metric: what its authors report.
        note: what differs here.
        frames: of a clip in its command.
        size: side of a clip in its command, pixels.
        checked: what was compared with the library here, with random weights.
    """

    arch: str
    backbone: str
    source: str
    licence: str
    clips: str
    batchnorm: str
    metric: str
    note: str
    frames: int
    size: int
    checked: str

    def keys(self) -> list[str]:
        """Return the end of the command that trains a probe on it, behind `--cfg configs/backbones/frozen.yaml`."""
        name = self.backbone.rpartition(" of ")[2].lower().replace(" ", "").replace("-", "")
        folder = self.arch == "huggingface"
        words = ["MODEL.ARCH", self.arch, "MODEL.BACKBONE", f"pretrained/{name}" if folder else name]
        words += [] if folder else ["TRAIN.CHECKPOINT_FILE_PATH", f"pretrained/{name}.pth"]
        sizes = (f"DATA.{key}_CROP_SIZE" for key in ("TRAIN", "TEST"))
        words += ["DATA.NUM_FRAMES", str(self.frames), *(word for key in sizes for word in (key, str(self.size)))]
        return [*words, "DATA.TRAIN_JITTER_SCALES", f"[{self.size},{self.size * 5 // 4}]"]


@dataclass(frozen=True)
class FineTuned:
    """Weights that upstream fine-tuned on labelled light and unlabelled dark videos.

    Attributes:
        stage: round of the method.
        model: network and data it started from.
        experiment: folder with its configuration here.
        arid_top1: percent on the 6207 ARID videos, 1 view x 1 crop, gamma 0.25, as upstream reports it.
    """

    stage: str
    model: str
    experiment: str
    arid_top1: float


STARTING_WEIGHTS = (
    Published(
        "UniFormer-B 32x4, Kinetics-600", "uniformer", "pretrained/uniformer_base_k600_32x4.pth", UNIFORMER_SOURCE,
        CHECK, "84.8 top-1 on Kinetics-600 (paper's abstract)", "flat state dict; the head of 600 classes is left out",
    ),
    Published(
        "UniFormer-B 32, Something-Something V2", "uniformer", "pretrained/uniformer_base_sthv2_32_prek400.pth",
        UNIFORMER_SOURCE, CHECK, "71.2 top-1 on Something-Something V2 (paper's abstract)",
        "flat state dict; the head of 174 classes is left out",
    ),
    Published(
        "UniFormer-B on images (ImageNet-1k)", "uniformer", "any file name", UNIFORMER_SOURCE, CHECK, CHECK,
        "2D kernels are inflated over time",
    ),
    Published(
        "MViT-B 32x3 (24 blocks), Kinetics-600", "mvit", "pretrained/MVIT_B_32x3_CONV_K600.pth", PYSLOWFAST_SOURCE,
        "Apache-2.0", "83.8 top-1 on Kinetics-600 (paper)",
        "key `model_state`; the head of 600 classes is left out; position tables follow other sizes",
    ),
    Published(
        "MViT-B 16x4 (16 blocks), Kinetics-400", "mvit", "mvit_v1_b of torchvision", "https://github.com/pytorch/vision",
        "BSD-3-Clause", "78.5 top-1 on Kinetics-400 (torchvision)",
        "names and token axes are converted; `configs/nightcrawler/models/mvit_b16_k400.yaml`",
    ),
    Published(
        "SlowFast-R101 8x8, Kinetics-700", "sf", "pretrained/SlowFast-ResNet101-8x8.pth", ALPHACTION_SOURCE, "MIT",
        CHECK, "key `model`, prefixes `module.` and `backbone.`; `cls_head` is left out",
    ),
    Published(
        "VideoMAE ViT-S/B/L/H, Kinetics-400", "videomae", "any file name", VIDEOMAE_SOURCE, "CC BY-NC 4.0",
        "85.2 (ViT-L) and 86.6 (ViT-H) top-1 on Kinetics-400 (project page)",
        "keys `model` or `module` (DeepSpeed, fp16), prefixes `backbone.` and `encoder.`",
    ),
    Published(
        "VideoMAE ViT-S/B/L/H in `transformers`", "videomae", "model.safetensors, pytorch_model.bin",
        "https://huggingface.co/MCG-NJU", "CC BY-NC 4.0", CHECK, "query, key and value are joined",
    ),
    Published(
        "VideoMAEv2 ViT-S/B/g (`configs/nightcrawler/models/videomaev2_*.yaml`)", "videomae", "any file name",
        "https://github.com/OpenGVLab/VideoMAEv2", CHECK,
        "83.7 (ViT-S), 86.6 (ViT-B) and 88.4 (ViT-g) top-1 on Kinetics-400, 77.0 (ViT-g) on Something-Something V2 "
        "(project page)",
        "keys `model` or `module`; the giant's MLPs are 48/11 as wide as its tokens",
    ),
    Published(
        "VideoMAE ViT-H and ViT-L of the AI City 2023 track 3 features", "videomae",
        "weights/k400_vith_rearview.pt, weights/hybrid_k700_vitl_rearview.pt, ego4d_verb_pretrain_vitl_k700.pt", CHECK,
        CHECK, CHECK, "key `module`; the fixed table of positions is not in the file, so sizes may differ",
    ),
)  # fmt: skip

TORCHVISION_SOURCE = "https://docs.pytorch.org/vision/stable/models.html#video-classification"
HUGGING_FACE = "https://huggingface.co/"
_ALL = "outputs, gradients, names; full-size shapes"
_BACK = "outputs, gradients, names, files back bit-equal; full-size shapes"
_SHAPES = "full-size shapes; outputs and gradients with a small network of timm"
BACKBONES = (
    *(
        Backbone("torchvision", name, TORCHVISION_SOURCE, "BSD-3-Clause (library)", clips, norms,
                 f"{top1} top-1 on Kinetics-400 (torchvision)", note, frames, size, checked)
        for name, frames, size, clips, norms, top1, note, checked in (
            ("mvit_v1_b", 16, 224, "16 x 224 only", "0", "78.5", "", _ALL),
            ("mvit_v2_s", 16, 224, "16 x 224 only", "0", "80.8", "", _ALL),
            ("swin3d_t", 32, 224, "32 x 224, any", "0", "77.7", "takes anything, so wrong clips never show", _ALL),
            ("swin3d_s", 32, 224, "32 x 224, any", "0", "79.5", "as swin3d_t", "full-size shapes; else as swin3d_t"),
            ("swin3d_b", 32, 224, "32 x 224, any", "0", "79.4", "as swin3d_t", "full-size shapes; else as swin3d_t"),
            ("s3d", 128, 224, "128 x 224, any from 13 x 209 on", "77", "68.4",
             "trained on frames stretched to 256 x 256", _ALL),
            ("r2plus1d_18", 16, 112, "16 x 112, any", "37", "67.5", "trained on frames stretched to 128 x 171", _ALL),
            ("r3d_18", 16, 112, "16 x 112, any", "20", "63.2", "as r2plus1d_18", _ALL),
            ("mc3_18", 16, 112, "16 x 112, any", "20", "64.0", "as r2plus1d_18", _ALL),
        )
    ),
    Backbone("huggingface", "folder of VideoMAE", HUGGING_FACE + "MCG-NJU", "CC BY-NC 4.0", "the folder's only", "0",
             "85.2 (ViT-L) and 86.6 (ViT-H) top-1 on Kinetics-400 (project page)",
             "`MODEL.ARCH videomae` reads its model.safetensors too", 16, 224, _BACK),
    Backbone("huggingface", "folder of V-JEPA 2", "https://github.com/facebookresearch/vjepa2", "MIT (project)",
             "frames in twos, sides of a multiple of 16", "0",
             "73.7 (ViT-L) and 77.3 (ViT-g, 384) top-1 on Something-Something V2, frozen with a probe (project page)",
             "the predictor is left out and comes back in an export; the pooler is part of the trained head; files in "
             "the project's own layout (V-JEPA 2.1) are not read", 16, 256, _BACK),
    Backbone("huggingface", "folder of VideoPrism", "https://github.com/google-deepmind/videoprism",
             "Apache-2.0 (software), CC BY 4.0 (all else)", "the folder's only", "0",
             "82.9 (B) and 85.0 (L) top-1 on Kinetics-400, frozen (project page)",
             "for VideoPrismForVideoClassification, which pools the tokens; the project's own files are JAX",
             16, 288, _BACK),
    Backbone("huggingface", "folder of ViViT", HUGGING_FACE + "google/vivit-b-16x2-kinetics400", "MIT",
             "the folder's only", "0", CHECK, "black is -3 in its colours", 32, 224, _BACK),
    Backbone("huggingface", "folder of TimeSformer", "https://github.com/facebookresearch/TimeSformer", "CC BY-NC 4.0",
             "any frames of the folder's size", "0",
             "77.9 (8 x 224), 79.6 (16 x 448) and 80.6 (96 x 224) top-1 on Kinetics-400 (project page)",
             "the number of frames is set from DATA.NUM_FRAMES; space_only gives the mean of its frames' features",
             8, 224, _BACK),
    *(
        Backbone("frames", name, f"{HUGGING_FACE}timm/{name}.{tag}", licence, f"any frames of {clips}", "0", CHECK,
                 note, 8, size, _SHAPES)
        for name, tag, licence, size, clips, note in (
            ("vit_small_patch16_dinov3", "lvd1689m", "DINOv3 License", 256, "any size in 16s",
             "DINOv3: gives the mean of its patches; other sizes from timm's list too"),
            ("vit_base_patch16_siglip_224", "v2_webli", "Apache-2.0", 224, "224", "SigLIP 2"),
            ("vit_pe_core_tiny_patch16_384", "fb", "Apache-2.0", 384, "384", "PE-Core: pools by attention"),
        )
    ),
    Backbone("frames", "any name of timm", "https://github.com/huggingface/pytorch-image-models", "timm's `license`",
             "any frames; the size that timm states, or what it takes", "by network", CHECK,
             "a file or folder of timm is `TRAIN.CHECKPOINT_FILE_PATH`", 8, 224, _SHAPES),
)  # fmt: skip

_MODELS = {
    "UniFormer-B32-K600": "uniformer_b32_k600",
    "UniFormer-B32-SSV2": "uniformer_b32_ssv2",
    "MViT-B32-K600": "mvit_b32_k600",
    "SlowFast-R101-K700": "sf32_k700",
}
_STAGES = (
    ("Adapt BN", "exp_adapt_bn", (62.64, 58.9, 58.14, 57.79)),
    ("Pseudo1", "exp_pseudo_stage1", (83.5, 81.04, 81.68, 80.78)),
    ("Pseudo2", "exp_pseudo_stage2", (87.84, 85.95, 86.63, 85.63)),
    ("Pseudo3", "exp_pseudo_stage3", (89.48, 88.74, 88.75, 88.59)),
    ("Pseudo4", "exp_pseudo_stage4", (89.91, 90.25, 90.3, 89.49)),
)
FINE_TUNED = (
    *(
        FineTuned(stage, model, f"{folder}/{_MODELS[model]}", top1)
        for stage, folder, values in _STAGES
        for model, top1 in zip(_MODELS, values)
    ),
    FineTuned("Pseudo4", "UniFormer-B32-SSV2 dense (expert)", "exp_experts/uniformer_b32_ssv2", 89.51),
)


def markdown() -> str:
    """Return MODEL_ZOO.md."""
    published = [
        f"| {row.name} | `{row.arch}` | {_code(row.file)} | {_link(row.source)} | {row.licence} | {row.metric} "
        f"| {row.note} |"
        for row in STARTING_WEIGHTS
    ]
    tuned = [f"| {row.stage} | {row.model} | `{row.experiment}` | {row.arid_top1:.2f} |" for row in FINE_TUNED]
    others = [
        f"| `{row.arch}` | {row.backbone if ' ' in row.backbone else f'`{row.backbone}`'} | {_link(row.source)} "
        f"| {row.licence} | {row.clips} | {row.batchnorm} | {row.metric} | `{' '.join(row.keys())}` | {row.note} "
        f"| {row.checked} |"
        for row in BACKBONES
    ]
    return "\n".join([*_HEADER, *published, *_OTHERS, *others, *_MISSING, *_BETWEEN, *tuned]) + "\n"


def _link(source: str) -> str:
    """Return a link, or the text where none is known."""
    return f"[{source.removeprefix('https://')}]({source})" if source.startswith("https://") else source


def _code(file: str) -> str:
    """Return file names as code."""
    return ", ".join(f"`{name}`" if "/" in name or "." in name else name for name in file.split(", "))


_HEADER = [
    "# Weights",
    "",
    "Generated by `python tools/make_model_zoo.py` from `slowfast/apps/zoo.py`; do not edit by hand.",
    "",
    "No weights are part of this repository. A file that its authors published loads as it is: give it as",
    "`TRAIN.CHECKPOINT_FILE_PATH`, or put it where the experiments look for it. Whether a file fits, name by name:",
    "",
    "```",
    "python tools/load_report.py --cfg exp_adapt_bn/mvit_b32_k600/config.yaml \\",
    "  --checkpoint pretrained/MVIT_B_32x3_CONV_K600.pth",
    "```",
    "",
    "Weights in several files are named by their folder or their `.index.json`. Where a file holds others beside the",
    "usual ones (EMA), `TRAIN.CHECKPOINT_WEIGHTS` and `TEST.CHECKPOINT_WEIGHTS` name the entry. Training starts at",
    "epoch 1 with a fresh optimizer; `TRAIN.CHECKPOINT_KEEP_EPOCH True` goes on after the epoch of such a file.",
    "",
    "A file that holds less than 90 % of the network's parameters outside the head is refused (in a test: one in",
    "which any tensor is missing), and so is one that holds other objects than tensors and plain types. Metrics are",
    "those that the authors report, not measured here;",
    "`see source` means that nothing is stated here.",
    "",
    "## Starting weights",
    "",
    "| weights | `MODEL.ARCH` | file | source | licence | reported | what loading does |",
    "|---|---|---|---|---|---|---|",
]  # fmt: skip
_OTHERS = [
    "",
    "## Networks of other libraries",
    "",
    "A downloaded folder or file becomes a voter with one command, which trains, tests and writes its PKL; it ends",
    "with the `keys` of its row (lists and the vote: [docs/backbones.md](docs/backbones.md)):",
    "",
    "```",
    "python tools/run_net.py --cfg configs/backbones/frozen.yaml --cfg data/real/data.yaml \\",
    "  --cfg configs/real_small/exp_adapt_bn.yaml OUTPUT_DIR output/vjepa2 MODEL.HEAD linear \\",
    "  MODEL.ARCH huggingface MODEL.BACKBONE pretrained/vjepa2 DATA.NUM_FRAMES 16 DATA.TRAIN_CROP_SIZE 256 \\",
    "  DATA.TEST_CROP_SIZE 256 DATA.TRAIN_JITTER_SCALES [256,320]",
    "python tools/export_weights.py --cfg output/vjepa2/config.yaml.resolved \\",
    "  --checkpoint output/vjepa2/best.pyth --layout huggingface --output output/vjepa2_dark",
    "```",
    "",
    "The second one gives the trained weights back as a folder (`torchvision`, `original`: as a file). `MODEL.HEAD",
    "linear` keeps the library's own pooling, `attentive` puts a new attentive pooler on its tokens (V-JEPA's",
    "protocol for frozen trunks; over the frames' vectors for `frames`), which has no place in a library's files.",
    "Colours belong to the network: its own mean and standard deviation win over DATA.MEAN and DATA.STD, with one",
    "line in the log. Clips that do not fit are refused before anything runs. Only safetensors of local folders are",
    "read, nothing is fetched and no code of a folder is run; a tensor that is missing outside a new head is refused.",
    "Where there is no BatchNorm, adapting its statistics does nothing: take `recentre` or `sar`. Everything under",
    "`checked` was done with random weights, against torchvision 0.29.1, transformers 5.24.0 and timm 1.0.31. Not",
    "checked: published weights.",
    "",
    "| `MODEL.ARCH` | `MODEL.BACKBONE` | source | licence of the weights | clips | BatchNorms | reported | keys | here "
    "| checked |",
    "|---|---|---|---|---|---|---|---|---|---|",
]
_MISSING = [
    "",
    "Not read: UniFormerV2 and InternVideo2 in their projects' own layouts; each would be a file in `slowfast/models/`",
    "(UniFormerV2: CLIP's transformer with local and global video blocks; InternVideo2: RMSNorm, layer scale and an",
    "attentive pooler of its own). For `transformers` their folders come with code of their own, which is never run.",
]
_BETWEEN = [
    "",
    "## Fine-tuned for dark videos",
    "",
    f"Files of [{UPSTREAM_SOURCE.removeprefix('https://')}]({UPSTREAM_SOURCE}), licence: {CHECK}. Put one at",
    "`<experiment>/best.pyth` and run `bash <experiment>/test.sh`. Top-1 in percent on the 6207 videos of ARID,",
    "1 view x 1 crop, gamma 0.25, as reported there.",
    "",
    "| stage | model | experiment | ARID top-1 |",
    "|---|---|---|---|",
]
