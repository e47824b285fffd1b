"""Names of Keras, PyTorch and scikit-learn, and what they are called in a specification."""

from collections.abc import Mapping
from typing import NamedTuple


class Foreign(NamedTuple):
    """What stands for a name of another library."""

    #: Our names for it, the most likely first; none where a specification has nothing like it.
    names: tuple[str, ...] = ()
    #: The beginning of the pointer where these names stand; more than one place can have them.
    under: str = ""
    #: How the values differ, or why there is nothing like it.
    note: str = ""


def _ours(*names: str, under: str = "", note: str = "") -> Foreign:
    return Foreign(names, under, note)


def _none(note: str) -> Foreign:
    return Foreign(note=note)


_LEARNING_RATE = _ours("learning_rate", under="/optimizer")
_EPOCHS = _ours("epochs", under="/training")
_OUTPUTS = _none("leave it out: the number of outputs follows from the dataset")
_INPUT = _ours("image_size", under="/dataset", note="the input follows from the dataset")
_LOSS = _ours("cross_entropy", under="/loss", note="it takes labels, and the softmax is inside it")
_BINARY_LOSS = _ours("logistic", "cross_entropy", under="/loss")
_NEAR_HUBER = _ours("epsilon_insensitive", "l1", under="/loss")
_MSE = _ours("l2", under="/loss")
_MAE = _ours("l1", under="/loss")
_TRAIN = _ours("train", under="/dataset", note="it is a number of samples, no fraction")
_VALIDATION = _ours("validation", under="/dataset", note="it is a number of samples, no fraction")
_TEST = _ours("test", under="/dataset", note="it is a number of samples, no fraction")
_SCHEDULE = _ours("schedule", under="/optimizer")
_ARCHITECTURE = _ours("architecture")
_DEVICE = _ours("resources", note="the box chooses the device; request GPUs by `resources.gpus`")
_CROP = _ours("width_shift", "height_shift", under="/augmentation", note="there is no crop")
_PRECISION = _ours("precision", under="/training", note='use "bfloat16" or "float16"')
_CLIP = _ours("gradient_clipping", under="/optimizer", note='use {"global_norm": bound}')
_CLIP_EACH = _ours("gradient_clipping", "norm", under="/optimizer", note='use {"norm": bound}')
_CLIP_VALUE = _ours("gradient_clipping", under="/optimizer", note='use {"value": bound}')
_PRETRAINED = _ours("fine_tuning", note='use {"weights": {"pretrained": architecture}, …}')
_DECAY = _ours(
    "l2",
    under="/regularizers",
    note="PyTorch's weight_decay d is the weight λ = d/2; only adamw has its own weight_decay",
)

#: A name, lower case without separators → what stands for it.
FOREIGN: Mapping[str, Foreign] = {
    # Training
    "lr": _LEARNING_RATE,
    "learnrate": _LEARNING_RATE,
    "learningrateinit": _LEARNING_RATE,
    "eta": _LEARNING_RATE,
    "nbepoch": _EPOCHS,
    "nepochs": _EPOCHS,
    "numepochs": _EPOCHS,
    "maxepochs": _EPOCHS,
    "maxiter": _EPOCHS,
    "niterations": _EPOCHS,
    "bs": _ours("batch_size", under="/training"),
    "minibatchsize": _ours("batch_size", under="/training"),
    "amp": _PRECISION,
    "fp16": _PRECISION,
    "bf16": _PRECISION,
    "mixedprecision": _PRECISION,
    "dtype": _PRECISION,
    "earlystop": _ours("early_stopping", under="/training"),
    "callbacks": _ours("early_stopping", under="/training", note="also see `checkpoints`"),
    "restorebestweights": _ours("restore_best", under="/training/early_stopping"),
    "mindelta": _ours("min_delta", under="/training/early_stopping"),
    "tol": _ours("min_delta", under="/training/early_stopping"),
    "niternochange": _ours("patience", under="/training/early_stopping"),
    "modelcheckpoint": _ours("checkpoints"),
    "savebestonly": _ours("checkpoints", note='use [{"monitor": "val_accuracy"}]'),
    "shuffle": _none("leave it out: training samples are shuffled by `seed` in every epoch"),
    "numworkers": _none("leave it out: the box loads the data"),
    "verbose": _none("leave it out: a job reports every epoch"),
    "stepsperepoch": _none("leave it out: an epoch is one pass over the training samples"),
    "randomstate": _ours("seed"),
    "randomseed": _ours("seed"),
    "manualseed": _ours("seed"),
    # The data
    "data": _ours("dataset"),
    "trainset": _ours("dataset"),
    "validationsplit": _VALIDATION,
    "validationfraction": _VALIDATION,
    "valsplit": _VALIDATION,
    "val": _VALIDATION,
    "valid": _VALIDATION,
    "testsize": _TEST,
    "testsplit": _TEST,
    "trainsize": _TRAIN,
    "inputshape": _INPUT,
    "inputsize": _INPUT,
    "targetsize": _INPUT,
    "imgsize": _INPUT,
    "numclasses": _OUTPUTS,
    "nclasses": _OUTPUTS,
    "classes": _OUTPUTS,
    "label": _ours("target", under="/dataset"),
    "labelcolumn": _ours("target", under="/dataset"),
    "columns": _ours("features", under="/dataset"),
    "path": _ours("file", under="/dataset"),
    "rescale": _ours("normalization", under="/dataset", note='use "unit" for pixels from 0 to 1'),
    "csv": _ours("table", under="/dataset"),
    "mnist": _ours("digits", "fashion-mnist", under="/dataset"),
    "cifar": _ours("cifar10", under="/dataset"),
    # The network
    "model": _ARCHITECTURE,
    "network": _ARCHITECTURE,
    "net": _ARCHITECTURE,
    "backbone": _ARCHITECTURE,
    "arch": _ARCHITECTURE,
    "hiddenlayersizes": _ours("hidden_units", under="/architecture"),
    "units": _ours("hidden_units", under="/architecture"),
    "layers": _ours("hidden_units", under="/architecture"),
    "hidden": _ours("hidden_units", under="/architecture"),
    "filters": _ours("widths", under="/architecture"),
    "cnn": _ours("vgg_small", under="/architecture"),
    "logisticregression": _ours("linear", under="/architecture"),
    "sequential": _ours("mlp", "vgg_small", under="/architecture"),
    "mlpclassifier": _ours("mlp", under="/architecture"),
    "resnet18": _ours("resnet50", under="/architecture"),
    "resnet34": _ours("resnet50", under="/architecture"),
    "pretrained": _PRETRAINED,
    "weights": _PRETRAINED,
    "dropoutrate": _ours("dropout", under="/regularizers"),
    "init": _ours("initializer"),
    "kernelinitializer": _ours("initializer"),
    "glorotuniform": _ours("xavier_uniform", under="/initializer"),
    "glorotnormal": _ours("xavier_normal", under="/initializer"),
    "kaiming": _ours("he_normal", "he_uniform", under="/initializer"),
    "xavier": _ours("xavier_uniform", "xavier_normal", under="/initializer"),
    "kaiminguniform": _ours("he_uniform", under="/initializer"),
    "kaimingnormal": _ours("he_normal", under="/initializer"),
    "he": _ours("he_normal", "he_uniform", under="/initializer"),
    "stddev": _ours("scale", under="/initializer"),
    "randomnormal": _ours("normal", under="/initializer"),
    "randomuniform": _ours("uniform", under="/initializer"),
    # The loss
    "criterion": _ours("loss"),
    "objective": _ours("loss"),
    "crossentropyloss": _LOSS,
    "nllloss": _LOSS,
    "categoricalcrossentropy": _LOSS,
    "sparsecategoricalcrossentropy": _LOSS,
    "softmax": _LOSS,
    "logloss": _LOSS,
    "binarycrossentropy": _BINARY_LOSS,
    "bceloss": _BINARY_LOSS,
    "bcewithlogitsloss": _BINARY_LOSS,
    "bce": _BINARY_LOSS,
    "mse": _MSE,
    "mseloss": _MSE,
    "meansquarederror": _MSE,
    "mae": _MAE,
    "l1loss": _MAE,
    "meanabsoluteerror": _MAE,
    "huber": _NEAR_HUBER,
    "smoothl1loss": _NEAR_HUBER,
    "classweight": _ours("class_weights", under="/loss"),
    # The optimizer
    "optim": _ours("optimizer"),
    "solver": _ours("optimizer"),
    "scheduler": _SCHEDULE,
    "lrscheduler": _SCHEDULE,
    "learningrateschedule": _SCHEDULE,
    "betas": _ours("beta1", "beta2", under="/optimizer"),
    "eps": _ours("epsilon", under="/optimizer"),
    "decay": _ours("inverse_time", under="/optimizer/schedule", note="its `decay` is Keras's"),
    "weightdecay": _DECAY,
    "kernelregularizer": _ours("l2", "l1", under="/regularizers"),
    "clipnorm": _CLIP_EACH,
    "globalclipnorm": _CLIP,
    "clipgradnorm": _CLIP,
    "maxgradnorm": _CLIP,
    "gradientclip": _CLIP,
    "gradclip": _CLIP,
    "clipvalue": _CLIP_VALUE,
    "maxnorm": _ours("global_norm", under="/optimizer"),
    "tmax": _none("leave it out: the schedule ends with the training"),
    "steplr": _ours("step", under="/optimizer/schedule", note="it counts updates, not epochs"),
    "cosineannealinglr": _ours(
        "cosine", under="/optimizer/schedule", note="it ends with the training: leave out T_max"
    ),
    "cosinedecay": _ours("cosine", under="/optimizer/schedule"),
    "exponentiallr": _ours(
        "exponential", under="/optimizer/schedule", note="decay = −ln(gamma) per update"
    ),
    "exponentialdecay": _ours("exponential", under="/optimizer/schedule"),
    "onecyclelr": _ours("one_cycle", under="/optimizer/schedule"),
    "reducelronplateau": _ours("reduce_on_plateau", under="/optimizer/schedule"),
    "stepsize": _ours("every", under="/optimizer", note="it counts updates, not epochs"),
    "gamma": _ours("factor", under="/optimizer"),
    # Regularizers and augmentation
    "batchnormalization": _ours("batch_norm", under="/regularizers"),
    "batchnorm2d": _ours("batch_norm", under="/regularizers", note="its momentum is 1 − PyTorch's"),
    "p": _ours("rate", "probability", under="/regularizers"),
    "lambda": _ours("weight", under="/regularizers"),
    "smoothing": _ours("label_smoothing", "alpha", under="/regularizers"),
    "bn": _ours("batch_norm", under="/regularizers"),
    "augment": _ours("augmentation"),
    "transforms": _ours("augmentation"),
    "imagedatagenerator": _ours("augmentation"),
    "randomcrop": _CROP,
    "crop": _CROP,
    "flip": _ours("horizontal_flip", "vertical_flip", under="/augmentation"),
    "hflip": _ours("horizontal_flip", under="/augmentation"),
    "vflip": _ours("vertical_flip", under="/augmentation"),
    "randomhorizontalflip": _ours("horizontal_flip", under="/augmentation"),
    "randomverticalflip": _ours("vertical_flip", under="/augmentation"),
    "rotationrange": _ours("rotation", under="/augmentation", note="both are in degrees"),
    "randomrotation": _ours("rotation", under="/augmentation", note="it is in degrees"),
    "rotate": _ours("rotation", under="/augmentation", note="it is in degrees"),
    "zoomrange": _ours("zoom", under="/augmentation"),
    "randomzoom": _ours("zoom", under="/augmentation"),
    "shearrange": _ours("shear", under="/augmentation", note="it is in degrees"),
    "widthshiftrange": _ours("width_shift", under="/augmentation"),
    "heightshiftrange": _ours("height_shift", under="/augmentation"),
    "brightnessrange": _ours("brightness", under="/augmentation"),
    "channelshiftrange": _ours("channel_shift", under="/augmentation"),
    # Metrics
    "valacc": _ours("val_accuracy"),
    "acc": _ours("val_accuracy", "train_accuracy"),
    "accuracy": _ours("val_accuracy", "train_accuracy"),
    "loss": _ours("val_loss", "train_loss"),
    "valmae": _ours("val_mean_absolute_error"),
    "valmse": _ours("val_root_mean_squared_error", note="it is the root of the MSE"),
    "trainacc": _ours("train_accuracy"),
    # Resources
    "device": _DEVICE,
    "cuda": _DEVICE,
    "gpu": _ours("gpus", under="/resources"),
    "ngpus": _ours("gpus", under="/resources"),
    "timeout": _ours("max_runtime_seconds", under="/resources"),
    "mlflow": _none("leave it out: the box decides on the copy in MLflow"),
    "freeze": _ours(
        "train", under="/fine_tuning/stages/0", note='use {"train": "head"} in a stage'
    ),
    "tensorboardlogdir": _ours("tensorboard", under="/tracking"),
}

#: A value, lower case without separators → the allowed values that can stand for it.
FOREIGN_VALUES: Mapping[str, tuple[str, ...]] = {
    "fp16": ("float16",),
    "half": ("float16",),
    "16": ("float16",),
    "mixedfloat16": ("float16",),
    "mixed": ("bfloat16",),
    "bf16": ("bfloat16",),
    "mixedbfloat16": ("bfloat16",),
    "fp32": ("float32",),
    "float": ("float32",),
    "full": ("float32",),
    "minmax": ("unit",),
    "rescale": ("unit",),
    "zscore": ("standardize",),
    "standardscaler": ("standardize",),
    "imagenet": ("of_weights",),
    "lower": ("min",),
    "higher": ("max",),
    "lowest": ("min",),
    "highest": ("max",),
    "minimize": ("min",),
    "maximize": ("max",),
    "medium": ("normal",),
    "urgent": ("high",),
    "swish": ("silu",),
    "lrelu": ("leaky_relu",),
}
