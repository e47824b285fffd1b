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


def _same(*names: str, under: str = "", note: str = "") -> Foreign:
    return Foreign(names, under, note)


def _none(note: str) -> Foreign:
    return Foreign(note=note)


_LEARNING_RATE = _same("learning_rate", under="/optimizer")
_EPOCHS = _same("epochs", under="/training")
_ONE_HEAD = _none("leave it out: the number of outputs follows from the dataset")
_INPUT = _same("image_size", under="/dataset", note="the input follows from the dataset")
_LOSS = _same("cross_entropy", under="/loss", note="it takes labels, and the softmax is inside it")
_MSE = _same("l2", under="/loss")
_MAE = _same("l1", under="/loss")
_VALIDATION = _same("validation", under="/dataset", note="it is a number of samples, no fraction")
_SCHEDULE = _same("schedule", under="/optimizer")
_ARCHITECTURE = _same("architecture")
_DEVICE = _same("resources", note="the box chooses the device; request GPUs by `resources.gpus`")
_CROP = _same("width_shift", "height_shift", under="/augmentation", note="there is no crop")
_PRECISION = _same("precision", under="/training", note='use "bfloat16" or "float16"')
_CLIP = _same("gradient_clipping", under="/optimizer", note='use {"global_norm": bound}')
_CLIP_EACH = _same("gradient_clipping", "norm", under="/optimizer", note='use {"norm": bound}')
_CLIP_VALUE = _same("gradient_clipping", under="/optimizer", note='use {"value": bound}')
_PRETRAINED = _same("fine_tuning", note='use {"weights": {"pretrained": architecture}, …}')
_DECAY = _same(
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
    "bs": _same("batch_size", under="/training"),
    "minibatchsize": _same("batch_size", under="/training"),
    "amp": _PRECISION,
    "fp16": _PRECISION,
    "bf16": _PRECISION,
    "mixedprecision": _PRECISION,
    "dtype": _PRECISION,
    "earlystop": _same("early_stopping", under="/training"),
    "callbacks": _same("early_stopping", under="/training", note="also see `checkpoints`"),
    "restorebestweights": _same("restore_best", under="/training/early_stopping"),
    "mindelta": _same("min_delta", under="/training/early_stopping"),
    "tol": _same("min_delta", under="/training/early_stopping"),
    "niternochange": _same("patience", under="/training/early_stopping"),
    "modelcheckpoint": _same("checkpoints"),
    "savebestonly": _same("checkpoints", note='use [{"monitor": "val_accuracy"}]'),
    "shuffle": _none("leave it out: training samples are shuffled by `seed` in every epoch"),
    "numworkers": _none("leave it out: the box loads the data"),
    "verbose": _none("leave it out: a job reports every epoch"),
    "stepsperepoch": _none("leave it out: an epoch is one pass over the training samples"),
    "randomstate": _same("seed"),
    "randomseed": _same("seed"),
    "manualseed": _same("seed"),
    # The data
    "data": _same("dataset"),
    "trainset": _same("dataset"),
    "validationsplit": _VALIDATION,
    "validationfraction": _VALIDATION,
    "valsplit": _VALIDATION,
    "val": _VALIDATION,
    "valid": _VALIDATION,
    "testsize": _same("test", under="/dataset", note="it is a number of samples, no fraction"),
    "testsplit": _same("test", under="/dataset", note="it is a number of samples, no fraction"),
    "trainsize": _same("train", under="/dataset", note="it is a number of samples, no fraction"),
    "inputshape": _INPUT,
    "inputsize": _INPUT,
    "targetsize": _INPUT,
    "imgsize": _INPUT,
    "numclasses": _ONE_HEAD,
    "nclasses": _ONE_HEAD,
    "classes": _ONE_HEAD,
    "label": _same("target", under="/dataset"),
    "labelcolumn": _same("target", under="/dataset"),
    "columns": _same("features", under="/dataset"),
    "path": _same("file", under="/dataset"),
    "rescale": _same("normalization", under="/dataset", note='use "unit" for pixels from 0 to 1'),
    "csv": _same("table", under="/dataset"),
    "mnist": _same("digits", "fashion-mnist", under="/dataset"),
    "cifar": _same("cifar10", under="/dataset"),
    # The network
    "model": _ARCHITECTURE,
    "network": _ARCHITECTURE,
    "net": _ARCHITECTURE,
    "backbone": _ARCHITECTURE,
    "arch": _ARCHITECTURE,
    "hiddenlayersizes": _same("hidden_units", under="/architecture"),
    "units": _same("hidden_units", under="/architecture"),
    "layers": _same("hidden_units", under="/architecture"),
    "hidden": _same("hidden_units", under="/architecture"),
    "filters": _same("widths", under="/architecture"),
    "cnn": _same("vgg_small", under="/architecture"),
    "logisticregression": _same("linear", under="/architecture"),
    "sequential": _same("mlp", "vgg_small", under="/architecture"),
    "mlpclassifier": _same("mlp", under="/architecture"),
    "pretrained": _PRETRAINED,
    "weights": _PRETRAINED,
    "dropoutrate": _same("dropout", under="/regularizers"),
    "init": _same("initializer"),
    "kernelinitializer": _same("initializer"),
    "glorotuniform": _same("xavier_uniform", under="/initializer"),
    "glorotnormal": _same("xavier_normal", under="/initializer"),
    "kaiming": _same("he_normal", "he_uniform", under="/initializer"),
    "resnet18": _same("resnet50", under="/architecture"),
    "resnet34": _same("resnet50", under="/architecture"),
    "xavier": _same("xavier_uniform", "xavier_normal", under="/initializer"),
    "kaiminguniform": _same("he_uniform", under="/initializer"),
    "kaimingnormal": _same("he_normal", under="/initializer"),
    "he": _same("he_normal", "he_uniform", under="/initializer"),
    "randomnormal": _same("normal", under="/initializer"),
    "randomuniform": _same("uniform", under="/initializer"),
    # The loss
    "criterion": _same("loss"),
    "objective": _same("loss"),
    "crossentropyloss": _LOSS,
    "nllloss": _LOSS,
    "categoricalcrossentropy": _LOSS,
    "sparsecategoricalcrossentropy": _LOSS,
    "softmax": _LOSS,
    "logloss": _LOSS,
    "binarycrossentropy": _same("logistic", "cross_entropy", under="/loss"),
    "bceloss": _same("logistic", "cross_entropy", under="/loss"),
    "bcewithlogitsloss": _same("logistic", "cross_entropy", under="/loss"),
    "bce": _same("logistic", "cross_entropy", under="/loss"),
    "mse": _MSE,
    "mseloss": _MSE,
    "meansquarederror": _MSE,
    "mae": _MAE,
    "l1loss": _MAE,
    "meanabsoluteerror": _MAE,
    "huber": _same("epsilon_insensitive", "l1", under="/loss"),
    "smoothl1loss": _same("epsilon_insensitive", "l1", under="/loss"),
    "classweight": _same("class_weights", under="/loss"),
    # The optimizer
    "optim": _same("optimizer"),
    "solver": _same("optimizer"),
    "scheduler": _SCHEDULE,
    "lrscheduler": _SCHEDULE,
    "learningrateschedule": _SCHEDULE,
    "betas": _same("beta1", "beta2", under="/optimizer"),
    "eps": _same("epsilon", under="/optimizer"),
    "decay": _same("inverse_time", under="/optimizer/schedule", note="its `decay` is Keras's"),
    "weightdecay": _DECAY,
    "kernelregularizer": _same("l2", "l1", under="/regularizers"),
    "clipnorm": _CLIP_EACH,
    "globalclipnorm": _CLIP,
    "clipgradnorm": _CLIP,
    "maxgradnorm": _CLIP,
    "gradientclip": _CLIP,
    "gradclip": _CLIP,
    "clipvalue": _CLIP_VALUE,
    "maxnorm": _same("global_norm", under="/optimizer"),
    "tmax": _none("leave it out: the schedule ends with the training"),
    "steplr": _same("step", under="/optimizer/schedule", note="it counts updates, not epochs"),
    "cosineannealinglr": _same(
        "cosine", under="/optimizer/schedule", note="it ends with the training: leave out T_max"
    ),
    "cosinedecay": _same("cosine", under="/optimizer/schedule"),
    "exponentiallr": _same(
        "exponential", under="/optimizer/schedule", note="decay = −ln(gamma) per update"
    ),
    "exponentialdecay": _same("exponential", under="/optimizer/schedule"),
    "onecyclelr": _same("one_cycle", under="/optimizer/schedule"),
    "reducelronplateau": _same("reduce_on_plateau", under="/optimizer/schedule"),
    "stepsize": _same("every", under="/optimizer", note="it counts updates, not epochs"),
    "gamma": _same("factor", under="/optimizer"),
    # Regularizers and augmentation
    "batchnormalization": _same("batch_norm", under="/regularizers"),
    "batchnorm2d": _same("batch_norm", under="/regularizers", note="its momentum is 1 − PyTorch's"),
    "p": _same("rate", "probability", under="/regularizers"),
    "lambda": _same("weight", under="/regularizers"),
    "smoothing": _same("label_smoothing", "alpha", under="/regularizers"),
    "bn": _same("batch_norm", under="/regularizers"),
    "augment": _same("augmentation"),
    "transforms": _same("augmentation"),
    "imagedatagenerator": _same("augmentation"),
    "randomcrop": _CROP,
    "crop": _CROP,
    "flip": _same("horizontal_flip", "vertical_flip", under="/augmentation"),
    "hflip": _same("horizontal_flip", under="/augmentation"),
    "vflip": _same("vertical_flip", under="/augmentation"),
    "randomhorizontalflip": _same("horizontal_flip", under="/augmentation"),
    "randomverticalflip": _same("vertical_flip", under="/augmentation"),
    "rotationrange": _same("rotation", under="/augmentation", note="both are in degrees"),
    "randomrotation": _same("rotation", under="/augmentation", note="it is in degrees"),
    "rotate": _same("rotation", under="/augmentation", note="it is in degrees"),
    "zoomrange": _same("zoom", under="/augmentation"),
    "randomzoom": _same("zoom", under="/augmentation"),
    "shearrange": _same("shear", under="/augmentation", note="it is in degrees"),
    "widthshiftrange": _same("width_shift", under="/augmentation"),
    "heightshiftrange": _same("height_shift", under="/augmentation"),
    "brightnessrange": _same("brightness", under="/augmentation"),
    "channelshiftrange": _same("channel_shift", under="/augmentation"),
    # Metrics
    "valacc": _same("val_accuracy"),
    "acc": _same("val_accuracy", "train_accuracy"),
    "accuracy": _same("val_accuracy", "train_accuracy"),
    "loss": _same("val_loss", "train_loss"),
    "valmae": _same("val_mean_absolute_error"),
    "valmse": _same("val_root_mean_squared_error", note="it is the root of the MSE"),
    "trainacc": _same("train_accuracy"),
    # Resources
    "device": _DEVICE,
    "cuda": _DEVICE,
    "gpu": _same("gpus", under="/resources"),
    "ngpus": _same("gpus", under="/resources"),
    "timeout": _same("max_runtime_seconds", under="/resources"),
    "mlflow": _none("leave it out: the box decides on the copy in MLflow"),
    "freeze": _same(
        "train", under="/fine_tuning/stages/0", note='use {"train": "head"} in a stage'
    ),
    "tensorboardlogdir": _same("tensorboard", under="/tracking"),
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
}
