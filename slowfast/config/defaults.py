"""Every configuration key with its default value and one comment; upstream's names keep upstream's meaning."""

from collections.abc import Mapping
from typing import Any

from fvcore.common.config import CfgNode as CN

from slowfast.utils.errors import InputError


def get_cfg() -> CN:
    """Return a fresh, unfrozen tree of all defaults."""
    return _C.clone()


def add_keys(section: str, keys: Mapping[str, Any]) -> None:
    """Add the keys of own code (a plugin's) with their defaults; call it before a configuration is loaded.

    Args:
        section: name in capitals, new or one that exists, such as `MY_METHOD`.
        keys: key in capitals -> default value, whose type is the key's type.

    Raises:
        InputError: a key is there already with another default.
    """
    node = _C.setdefault(section, CN())
    for key, default in keys.items():
        if key in node and node[key] != default:
            raise InputError(
                f"the key {section}.{key} is there already with the default {node[key]!r}; take another name"
            )
        node[key] = default


_C = CN()
_C.OUTPUT_DIR = "./tmp"  # where a run writes; a config in an exp_* folder defaults to that folder
_C.RNG_SEED = 1  # seed of every random number generator of a run
_C.NUM_GPUS = 1  # at most this many GPUs; 0, or none present, means the CPU
_C.NUM_SHARDS = 1  # number of machines of one job; scales the learning rate with BASE_LR_SCALE_NUM_SHARDS
_C.NUM_THREADS = 0  # CPU threads of one process for tensor operations; 0 leaves it to torch
_C.DIST_BACKEND = "nccl"  # torch.distributed backend on GPUs; gloo is used on the CPU
_C.LOG_PERIOD = 10  # iterations between two log lines; after half a minute there is one in any case
_C.LOG_MODEL_INFO = True  # log the number of parameters at the start

_C.AUG = CN()
_C.AUG.ENABLE = False  # RandAugment, random resized crop, flip and erasing on training clips
_C.AUG.AA_TYPE = "rand-m9-mstd0.5-inc1"  # RandAugment in timm's notation; empty switches it off
_C.AUG.INTERPOLATION = "bicubic"  # of RandAugment's geometric operations
_C.AUG.NUM_SAMPLE = 1  # augmented copies of every training clip in a batch (repeated augmentation)
_C.AUG.RE_PROB = 0.25  # probability of random erasing
_C.AUG.RE_MODE = "pixel"  # fill of erased boxes: pixel (normal noise per value), rand (one colour) or const (zero)
_C.AUG.RE_COUNT = 1  # boxes erased per clip
_C.AUG.DARKEN = False  # darken training clips of the labelled split by a camera model; gamma TARGET
_C.AUG.DARKEN_PROB = 0.5  # share of clips that AUG.DARKEN darkens

_C.BN = CN()
_C.BN.USE_PRECISE_STATS = False  # adapt the BatchNorm statistics to BN.ADAPT_SPLIT before every evaluation
_C.BN.NUM_BATCHES_PRECISE = 200  # batches of one adaptation pass, at most one epoch of the split
_C.BN.ADAPT_SPLIT = "train_unlabel"  # split whose clips give the statistics
_C.BN.WEIGHT_DECAY = 0.0  # weight decay of BatchNorm parameters

_C.DATA = CN()
_C.DATA.PATH_PREFIX = "data"  # data root: lists and video folders lie below it
_C.DATA.PATH_LABEL_SEPARATOR = " "  # between the columns of a list
_C.DATA.PSEUDO_CSV = ""  # pseudo-label list below the data root; not empty: TRAIN.METHOD '' is pseudo_label
_C.DATA.CLASS_NAMES = []  # names of the classes; empty: numbers
_C.DATA.ALLOW_OUTSIDE = False  # lists may name files outside the data root
_C.DATA.MAX_FAILED = 0.5  # a run stops when more than this share of the clips of a split cannot be read
_C.DATA.DECODING_BACKEND = "pyav"  # pyav, decord or torchcodec; all give the same frames
_C.DATA.CACHE_DIR = ""  # store of decoded clips (frames x height x width x 3 bytes each), for all jobs; empty: none
_C.DATA.FEATURE_CACHE = ""  # folder for what a trunk that stays (TRAIN.PROBE) gives for clips, for all rounds and jobs
_C.DATA.FEATURE_VIEWS = 2  # with that store: augmented views of every training clip, the same in all epochs
_C.DATA.DEVICE_TRANSFORM = False  # hand over uint8 clips; gamma, normalisation and crops run on the device
_C.DATA.NUM_FRAMES = 8  # frames of one clip
_C.DATA.SAMPLING_RATE = 8  # frame step of dense sampling; not used by uniform sampling
_C.DATA.USE_OFFSET_SAMPLING = False  # dense test views reach from the first to the last possible start
_C.DATA.MEAN = [0.45, 0.45, 0.45]  # subtracted from RGB values in 0..1
_C.DATA.STD = [0.225, 0.225, 0.225]  # divisor after that
_C.DATA.SUBTRACT_TEMPORAL_MEAN = 0.0  # share of the clip's mean over time subtracted after normalisation
_C.DATA.TRAIN_CROP_SIZE = 224  # side of training crops in pixels
_C.DATA.TEST_CROP_SIZE = 256  # short side and crop side in testing, pixels
_C.DATA.TRAIN_JITTER_SCALES = [256, 320]  # short side range of training without AUG.ENABLE, pixels
_C.DATA.TRAIN_JITTER_SCALES_RELATIVE = []  # area range of the random resized crop, e.g. [0.08, 1.0]
_C.DATA.TRAIN_JITTER_ASPECT_RELATIVE = []  # aspect range of the random resized crop, e.g. [0.75, 1.3333]
_C.DATA.RANDOM_FLIP = True  # mirror training clips with probability 0.5
_C.DATA.ENSEMBLE_METHOD = "sum"  # scores of the views and crops of a video: sum or max
_C.DATA.GAMMA = CN()  # exponent of the gamma correction per role; 1 is off, below 1 brightens
_C.DATA.GAMMA.SOURCE = 1.0  # labelled training clips
_C.DATA.GAMMA.TARGET = 1.0  # pseudo-labelled training clips
_C.DATA.GAMMA.BN = 1.0  # dark clips of the BatchNorm adaptation; light ones have that of SOURCE
_C.DATA.GAMMA.VAL_BRIGHT = 1.0  # light splits in validation and testing
_C.DATA.GAMMA.VAL_DARK = 0.25  # dark splits in validation
_C.DATA.GAMMA.TEST = 0.25  # dark splits in testing, dark clips of predict.py
_C.DATA.SPLITS = CN()  # NAME: [list below the data root, folder of its videos[, light or dark]]; any name
_C.DATA.SPLITS.train_label = ["train_label+val_dry.csv", "labeled_train/Train"]  # labelled, normal light
_C.DATA.SPLITS.train_unlabel = ["total_unlabel.csv", "dark_train/Train"]  # BatchNorm adaptation
_C.DATA.SPLITS.train_pseudo_label = ["", "dark_train/Train"]  # its list is DATA.PSEUDO_CSV
_C.DATA.SPLITS.val_dry = ["val_dry.csv", "dry_run/Validation"]  # bright validation
_C.DATA.SPLITS.arid = ["arid.csv", "dark_train/Train"]  # dark validation
_C.DATA.SPLITS.dark_unlabel = ["dark_unlabel.csv", "dark_train/Train"]  # unlabelled dark clips
_C.DATA.SPLITS.total_unlabel = ["total_unlabel.csv", "dark_train/Train"]  # the pool that gets pseudo-labels
_C.DATA.SPLITS.test = ["test.csv", "Test"]  # submission

_C.DATA_LOADER = CN()
_C.DATA_LOADER.NUM_WORKERS = 8  # decoding processes per training process; 0 decodes in the process itself
_C.DATA_LOADER.PIN_MEMORY = True  # page-locked batches for GPUs
_C.DATA_LOADER.TIMEOUT = 300  # seconds a worker may take for one batch

_C.MIXUP = CN()
_C.MIXUP.ENABLE = False  # mixup and cutmix on training batches
_C.MIXUP.ALPHA = 0.8  # beta distribution of mixup
_C.MIXUP.CUTMIX_ALPHA = 1.0  # beta distribution of cutmix
_C.MIXUP.PROB = 1.0  # share of mixed batches
_C.MIXUP.SWITCH_PROB = 0.5  # share of cutmix among them
_C.MIXUP.LABEL_SMOOTH_VALUE = 0.1  # label smoothing of mixed targets

_C.MODEL = CN()
_C.MODEL.ARCH = "slowfast"  # the network, or whose: torchvision, huggingface, frames; upstream's default names none
_C.MODEL.BACKBONE = ""  # network of those: a torchvision name, a local folder of transformers, a timm name
_C.MODEL.HEAD = "linear"  # of those: linear on the library's own pooling, or attentive (a new attentive pooler)
_C.MODEL.NUM_CLASSES = 400  # number of classes K
_C.MODEL.DROPOUT_RATE = 0.5  # dropout before the head (MViT)
_C.MODEL.LOSS_FUNC = "cross_entropy"  # cross_entropy, soft_cross_entropy; bce: several labels a clip
_C.MODEL.PSEUDO_LOSS_FUNC = ""  # kl: target loss against the stored probabilities; empty: LOSS_FUNC with hard labels
_C.MODEL.SOFT_T = 1  # temperature of the kl loss
_C.MODEL.USE_CHECKPOINT = False  # activation checkpointing: less memory, more time
_C.MODEL.CHECKPOINT_NUM = [0, 0, 0, 0]  # checkpointed blocks per stage (UniFormer)
_C.MODEL.PRETRAIN_DIR = "pretrained"  # folder of starting weights named by UNIFORMER / SF .PRETRAIN_NAME

_C.UNIFORMER = CN()  # Li et al., UniFormer, ICLR 2022
_C.UNIFORMER.EMBED_DIM = [64, 128, 320, 512]  # widths of the four stages
_C.UNIFORMER.DEPTH = [3, 4, 8, 3]  # blocks of the four stages
_C.UNIFORMER.HEAD_DIM = 64  # width of one attention head
_C.UNIFORMER.MLP_RATIO = 4  # hidden width over width
_C.UNIFORMER.QKV_BIAS = True  # bias of the query, key, value projection
_C.UNIFORMER.QKV_SCALE = None  # scale of the attention; None: head width ** -0.5
_C.UNIFORMER.DROPOUT_RATE = 0  # dropout of projections and MLPs
_C.UNIFORMER.ATTENTION_DROPOUT_RATE = 0  # dropout of attention weights
_C.UNIFORMER.DROP_DEPTH_RATE = 0.1  # stochastic depth of the last block, linear from 0
_C.UNIFORMER.SPLIT = False  # divided time and space attention
_C.UNIFORMER.STD = False  # overlapping 3x2x2 patch embeddings
_C.UNIFORMER.PRETRAIN_NAME = None  # starting weights <MODEL.PRETRAIN_DIR>/<name>.pth

_C.MVIT = CN()  # Fan et al., Multiscale Vision Transformers, ICCV 2021
_C.MVIT.EMBED_DIM = 96  # width of the first block
_C.MVIT.DEPTH = 16  # number of blocks
_C.MVIT.NUM_HEADS = 1  # heads of the first block
_C.MVIT.DIM_MUL = []  # [block, factor]: width multipliers
_C.MVIT.HEAD_MUL = []  # [block, factor]: head multipliers
_C.MVIT.MLP_RATIO = 4.0  # hidden width over width
_C.MVIT.QKV_BIAS = True  # bias of the query, key, value projection
_C.MVIT.CLS_EMBED_ON = True  # class token
_C.MVIT.SEP_POS_EMBED = False  # separate positions for space and time
_C.MVIT.PATCH_KERNEL = [3, 7, 7]  # patch embedding (T, H, W)
_C.MVIT.PATCH_STRIDE = [2, 4, 4]  # patch embedding (T, H, W)
_C.MVIT.PATCH_PADDING = [2, 4, 4]  # patch embedding (T, H, W)
_C.MVIT.POOL_Q_STRIDE = []  # [block, t, h, w]: strides of the query pooling
_C.MVIT.POOL_KV_STRIDE = None  # [block, t, h, w]: strides of the key and value pooling
_C.MVIT.POOL_KV_STRIDE_ADAPTIVE = None  # key and value stride of block 0, divided by the query strides met
_C.MVIT.POOL_KVQ_KERNEL = None  # kernel of the poolings; None: stride + 1
_C.MVIT.DROPOUT_RATE = 0.0  # dropout of projections and positions
_C.MVIT.DROPPATH_RATE = 0.1  # stochastic depth of the last block, linear from 0
_C.MVIT.NECK_BN = False  # BatchNorm between pooling and head, so that BatchNorm adaptation reaches MViT
_C.MVIT.INIT_RESIDUAL_SCALE = 1.0  # factor on the initial output weights of attention and MLP

_C.SF = CN()  # Feichtenhofer et al., SlowFast Networks, ICCV 2019 (ResNet-101)
_C.SF.DEPTH = [3, 4, 23, 3]  # bottleneck blocks of the four stages
_C.SF.WIDTH = 64  # stem width of the slow path
_C.SF.BETA_INV = 8  # channels of the slow path over those of the fast path
_C.SF.DROPOUT_RATE = 0.2  # dropout before the head
_C.SF.FROZEN_BN = False  # BatchNorm with fixed weights and statistics
_C.SF.PRETRAIN_NAME = (
    "SlowFast-ResNet101-8x8"  # starting weights <MODEL.PRETRAIN_DIR>/<name>.pth; "" trains from scratch
)

_C.VIDEOMAE = CN()  # Tong et al., VideoMAE, NeurIPS 2022
_C.VIDEOMAE.EMBED_DIM = 1024  # width
_C.VIDEOMAE.DEPTH = 24  # number of blocks
_C.VIDEOMAE.NUM_HEADS = 16  # attention heads
_C.VIDEOMAE.MLP_RATIO = 4.0  # hidden width over width
_C.VIDEOMAE.PATCH_SIZE = 16  # pixels
_C.VIDEOMAE.TUBELET_SIZE = 2  # frames of one token
_C.VIDEOMAE.QKV_BIAS = True  # biases of query and value (the key has none)
_C.VIDEOMAE.INIT_VALUES = 0.0  # layer scale; 0 switches it off
_C.VIDEOMAE.INIT_SCALE = 0.001  # factor on the initial head weights
_C.VIDEOMAE.USE_MEAN_POOLING = True  # mean of the tokens instead of the first token
_C.VIDEOMAE.LEARNABLE_POS_EMBED = False  # learnable instead of sine-cosine positions
_C.VIDEOMAE.DROP_PATH_RATE = 0.1  # stochastic depth of the last block, linear from 0
_C.VIDEOMAE.FC_DROPOUT_RATE = 0.0  # dropout before the head

_C.SOLVER = CN()
_C.SOLVER.OPTIMIZING_METHOD = "sgd"  # sgd, adam, adamw, lion or the name that a plugin registers
_C.SOLVER.BASE_LR = 0.1  # learning rate at the top of the schedule, per step
_C.SOLVER.BASE_LR_SCALE_NUM_SHARDS = False  # multiply the learning rates by NUM_SHARDS
_C.SOLVER.LR_POLICY = "cosine"  # cosine or steps_with_relative_lrs
_C.SOLVER.COSINE_END_LR = 0.0  # learning rate at the end of the cosine
_C.SOLVER.COSINE_AFTER_WARMUP = False  # the cosine begins after the warm-up instead of at epoch 0
_C.SOLVER.WARMUP_EPOCHS = 0.0  # epochs of linear warm-up
_C.SOLVER.WARMUP_REACHES_TOP = False  # the last warm-up iteration has the top rate already (VideoMAE's schedule)
_C.SOLVER.WARMUP_START_LR = 0.01  # learning rate at epoch 0 of the warm-up
_C.SOLVER.STEPS = []  # first epochs of the constant pieces of steps_with_relative_lrs
_C.SOLVER.LRS = []  # their learning rates relative to BASE_LR
_C.SOLVER.MAX_EPOCH = 300  # epochs of a run
_C.SOLVER.CYCLES = 1  # warm restarts: the schedule of MAX_EPOCH / CYCLES epochs is run this often
_C.SOLVER.MOMENTUM = 0.9  # sgd
_C.SOLVER.DAMPENING = 0.0  # sgd
_C.SOLVER.NESTEROV = True  # sgd
_C.SOLVER.LION_BETAS = [0.9, 0.99]  # lion: of the update and of the momentum
_C.SOLVER.WEIGHT_DECAY = 1e-4  # decoupled for adamw
_C.SOLVER.ZERO_WD_1D_PARAM = False  # no decay for biases and normalisation weights
_C.SOLVER.LAYER_DECAY = 1.0  # learning-rate factor from layer to layer towards the input (VideoMAE)
_C.SOLVER.CLIP_GRADIENT = 20.0  # largest L2 norm of the gradient; 0 switches clipping off

_C.TRAIN = CN()
_C.TRAIN.ENABLE = True  # train
_C.TRAIN.METHOD = ""  # supervised, pseudo_label, mean_teacher or a plugin's; empty: DATA.PSEUDO_CSV decides
_C.TRAIN.DATASET = "kinetics"  # ug2_sparse (uniform sampling), ug2 (dense) or track3 (trimmed clips)
_C.TRAIN.BATCH_SIZE = 64  # clips per step over all processes, before AUG.NUM_SAMPLE
_C.TRAIN.EVAL_PERIOD = 10  # epochs between two evaluations
_C.TRAIN.EVAL_SPLITS = ["val_dry", "arid"]  # evaluated in this order
_C.TRAIN.CHOOSE_EPOCH = "validation"  # best.pyth holds the best epoch on the last of EVAL_SPLITS; last: the last epoch
_C.TRAIN.CHECKPOINT_PERIOD = 10  # epochs between two numbered checkpoints
_C.TRAIN.SAVE_LATEST = False  # save after every epoch and keep checkpoint_latest.pyth
_C.TRAIN.KEEP_CHECKPOINTS = 3  # numbered checkpoints kept; 0 keeps all
_C.TRAIN.SAVE_EVERY_MINUTES = 0.0  # also save inside an epoch; 0 switches it off
_C.TRAIN.AUTO_RESUME = True  # go on from the checkpoints in OUTPUT_DIR
_C.TRAIN.ON_CHANGE = "refuse"  # the training in OUTPUT_DIR was made from something else: refuse, or restart it
_C.TRAIN.CHECKPOINT_FILE_PATH = ""  # starting weights
_C.TRAIN.CHECKPOINT_KEEP_EPOCH = False  # go on after the epoch of that file, with its optimizer
_C.TRAIN.CHECKPOINT_EPOCH_RESET = False  # upstream's name for the contrary; a fresh start is the default here
_C.TRAIN.CHECKPOINT_WEIGHTS = ""  # entry of that file to take, like model_ema; empty: the usual weights
_C.TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN = []  # substrings removed from the names in any file of weights
_C.TRAIN.CHECKPOINT_GRID = []  # frames, rows, columns of positions in a file of weights where it cannot be told
_C.TRAIN.STEPS_PER_EPOCH = 0  # iterations of an epoch; 0: the shorter loader decides
_C.TRAIN.CLASS_BALANCED = False  # draw pseudo-labelled clips with equal class shares
_C.TRAIN.LABELLED_BALANCED = False  # draw labelled clips with equal class shares
_C.TRAIN.CLASS_WEIGHTS = []  # one factor per class on the loss of labelled clips; empty: all count alike
_C.TRAIN.ACCUMULATE = 1  # parts that a batch is computed in, one after the other: less memory, the same step
_C.TRAIN.FREEZE = []  # beginnings of parameter names that stay as they are, whole parts such as blocks.0
_C.TRAIN.FIT_HEAD = False  # fit the head to features of the labelled clips before the first step
_C.TRAIN.PROBE = False  # train the head alone, on a trunk that stays as it is (also its dropout and BatchNorm)
_C.TRAIN.DETERMINISTIC = False  # only algorithms that give the same bits every time, also on GPUs (slower)
_C.TRAIN.MIXED_PRECISION = "auto"  # auto (fp16 on GPUs as published, off on the CPU), off, fp16 or bf16
_C.TRAIN.ON_NAN = "stop"  # a loss that is not finite: stop, or skip the step
_C.TRAIN.COMPILE = False  # torch.compile: True (as a whole), blocks (each shape once), replay (blocks in a CUDA graph)

_C.LORA = CN()  # adapters beside linear layers of a frozen network (Hu et al., LoRA, ICLR 2022); the head is trained
_C.LORA.RANK = 0  # of the adapters; 0: none
_C.LORA.ALPHA = 16.0  # their product is multiplied by ALPHA / RANK
_C.LORA.DROPOUT = 0.0  # before the adapters
_C.LORA.TARGETS = []  # last parts of the names of layers, such as query; empty: all linear layers outside the head

_C.MEAN_TEACHER = CN()  # TRAIN.METHOD mean_teacher
_C.MEAN_TEACHER.SPLIT = "train_unlabel"  # clips that the teacher labels; their own labels are not read
_C.MEAN_TEACHER.DECAY = 0.999  # of the mean of the student's weights, per iteration
_C.MEAN_TEACHER.THRESHOLD = 0.8  # least confidence of the teacher for a clip to count
_C.MEAN_TEACHER.WEIGHT = 1.0  # of the loss on these clips

_C.TEST = CN()
_C.TEST.ENABLE = True  # test after training
_C.TEST.DATASET = "kinetics"  # ug2_sparse (uniform sampling), ug2 (dense) or track3 (trimmed clips)
_C.TEST.DATA_SELECT = "val_dry"  # split that is tested
_C.TEST.BATCH_SIZE = 8  # clips per forward pass over all processes
_C.TEST.NUM_ENSEMBLE_VIEWS = 10  # temporal views of a video
_C.TEST.NUM_SPATIAL_CROPS = 3  # crops of a view: 1 (centre) or 3
_C.TEST.ALSO = []  # more tests: split:VIEWSxCROPS[:GAMMA[:ADAPT_SPLIT[:ADAPT]]]; empty fields: as usual, not adapted
_C.TEST.SCORE = "logits"  # what the PKL sums over views and crops: logits or probs
_C.TEST.TEST_BEST = False  # test best.pyth of OUTPUT_DIR
_C.TEST.CHECKPOINT_FILE_PATH = ""  # weights to test instead
_C.TEST.CHECKPOINT_WEIGHTS = ""  # entry of the tested file to take, like model_ema; empty: the usual weights
_C.TEST.MIXED_PRECISION = "auto"  # auto (bf16 or fp16 on GPUs, off on the CPU), off (float32), fp16 or bf16
_C.TEST.COMPILE = False  # as TRAIN.COMPILE, for tests, predictions and features of many clips
_C.TEST.TF32 = False  # float32 products on GPUs in TF32: 10 bits of mantissa, several times faster
_C.TEST.ADAPT = ""  # adaptation before the test of DATA_SELECT: batchnorm, recentre, tent, sar; empty: none
_C.TEST.ADAPT_SPLIT = ""  # split it adapts to; empty: BN.ADAPT_SPLIT (predict and features: the videos themselves)

_C.ADAPT = CN()  # recentre, tent and sar of TEST.ADAPT; batchnorm has BN and TRAIN.BATCH_SIZE
_C.ADAPT.BATCH_SIZE = 16  # clips of one batch, in every process
_C.ADAPT.BATCHES = 200  # batches of an adaptation, at most one pass over the split
_C.ADAPT.LR = 0.001  # tent and sar: learning rate of scales and shifts
_C.ADAPT.MOMENTUM = 0.9  # tent and sar
_C.ADAPT.MARGIN = 0.4  # sar: clips whose entropy is above this share of ln K are left out
_C.ADAPT.RADIUS = 0.05  # sar: length of the step up before the step down
_C.ADAPT.RESET = 0.2  # sar: the weights are reset when the mean entropy falls below this

_C.FEATURES = CN()  # tools/extract_features.py: a window is DATA.NUM_FRAMES frames, DATA.SAMPLING_RATE apart
_C.FEATURES.STRIDE = 16  # frames from the start of a window to that of the next one
_C.FEATURES.TAIL = "drop"  # frames behind the last whole window: drop, or pad (repeat the last frame)
_C.FEATURES.FPS = 0.0  # resample videos to this frame rate; 0 keeps theirs
_C.FEATURES.RESIZE = "crop"  # crop (as in testing), squash (bilinear to the square) or squash_antialias (Pillow's)
_C.FEATURES.BATCH_SIZE = 8  # windows of one forward pass
_C.FEATURES.LAYER = ""  # layer whose output is taken, as blocks.11; empty: the pooled features that the head sees
_C.FEATURES.POOL = (
    "mean"  # of a layer's output: mean of all tokens, cls (the first one) or all (--pool none: not pooled)
)
_C.FEATURES.DECODERS = 2  # videos that are decoded at a time

_C.TENSORBOARD = CN()
_C.TENSORBOARD.ENABLE = False  # write <OUTPUT_DIR>/tensorboard
