"""Keras's numbers: `.venv-bench/bin/python -m benchmarks.references.keras_values` prints them as JSON."""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

from benchmarks.references import inputs
from benchmarks.references.inputs import LEARNING_RATE, STEPS, Values

keras.config.set_floatx("float64")


def optimizers() -> Values:
    """Return the weight after 20 updates of each optimizer."""
    tiny = 1e-30
    made = {
        "sgd": keras.optimizers.SGD(LEARNING_RATE),
        "sgd, momentum": keras.optimizers.SGD(LEARNING_RATE, momentum=0.9),
        "sgd, nesterov": keras.optimizers.SGD(LEARNING_RATE, momentum=0.9, nesterov=True),
        "adagrad": keras.optimizers.Adagrad(
            LEARNING_RATE, initial_accumulator_value=0.0, epsilon=tiny
        ),
        "rmsprop": keras.optimizers.RMSprop(LEARNING_RATE, rho=0.9, epsilon=tiny),
        "adam": keras.optimizers.Adam(LEARNING_RATE, epsilon=tiny),
        "adamw": keras.optimizers.AdamW(LEARNING_RATE, epsilon=tiny, weight_decay=0.1),
        "clipping by value": keras.optimizers.SGD(LEARNING_RATE, clipvalue=0.5),
        "clipping by norm": keras.optimizers.SGD(LEARNING_RATE, clipnorm=0.5),
        "clipping by global norm": keras.optimizers.SGD(LEARNING_RATE, global_clipnorm=0.5),
    }
    values = {f"optimizer: {name}": _updated(made, STEPS) for name, made in made.items()}
    first = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-3)
    values["optimizer: adam, ε of the first update"] = _updated(first, 1)
    falling = keras.optimizers.SGD(LEARNING_RATE, momentum=0.9)
    rates = [LEARNING_RATE / (1 + 0.1 * step) for step in range(STEPS)]
    values["optimizer: momentum under a falling rate"] = _updated(falling, STEPS, rates)
    return values


def _updated(
    optimizer: keras.Optimizer, steps: int, rates: list[float] | None = None
) -> list[float]:
    weight = keras.Variable(inputs.weight())
    for step in range(steps):
        if rates is not None:
            optimizer.learning_rate = rates[step]
        optimizer.apply([ops.convert_to_tensor(inputs.gradient(weight.numpy()))], [weight])
    return weight.numpy().ravel().tolist()


def schedules() -> Values:
    """Return the learning rates of 50 updates."""
    of = keras.optimizers.schedules
    made = {
        "inverse_time": of.InverseTimeDecay(LEARNING_RATE, 1, 0.1),
        "exponential": of.ExponentialDecay(LEARNING_RATE, 1, float(np.exp(-0.1))),
        "step": of.ExponentialDecay(LEARNING_RATE, 7, 0.5, staircase=True),
        "cosine": of.CosineDecay(LEARNING_RATE, 50, alpha=0.1),
    }
    return {
        f"schedule: {name}": [float(schedule(float(step))) for step in range(50)]
        for name, schedule in made.items()
    }


def callbacks() -> Values:
    """Return the rates after each epoch, and where training stops and with which epoch's weights."""
    values: Values = {}
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    for patience, cooldown, min_delta, final in inputs.PLATEAUS:
        rates: list[float] = []
        for seed in range(inputs.SERIES):
            model.compile(keras.optimizers.SGD(LEARNING_RATE), loss="mse")
            plateau = keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss",
                factor=0.5,
                patience=patience,
                cooldown=cooldown,
                min_delta=min_delta,
                min_lr=final * LEARNING_RATE,
            )
            plateau.set_model(model)
            plateau.on_train_begin()
            for epoch, value in enumerate(inputs.metric_series(seed)):
                plateau.on_epoch_end(epoch, {"val_loss": value})
                rates.append(float(model.optimizer.learning_rate.numpy()))
        name = f"patience {patience}, cooldown {cooldown}, min_delta {min_delta}, final {final}"
        values[f"reduce_on_plateau: {name}"] = rates
    for patience, min_delta in inputs.STOPPINGS:
        ends: list[float] = []
        for seed in range(inputs.SERIES):
            model.compile(keras.optimizers.SGD(LEARNING_RATE), loss="mse")
            stopping = keras.callbacks.EarlyStopping(
                monitor="val_loss",
                patience=patience,
                min_delta=min_delta,
                restore_best_weights=True,
            )
            stopping.set_model(model)
            stopping.on_train_begin()
            model.stop_training = False
            for epoch, value in enumerate(inputs.metric_series(seed)):
                model.set_weights([np.array([[float(epoch)]]), np.array([0.0])])
                stopping.on_epoch_end(epoch, {"val_loss": value})
                if model.stop_training:
                    break
            stopping.on_train_end()
            ends += [float(epoch), float(model.get_weights()[0][0, 0])]
        values[f"early_stopping: patience {patience}, min_delta {min_delta}"] = ends
    return values


def losses() -> Values:
    """Return losses, penalties and metrics of the fixed scores."""
    scores, labels = inputs.scores(), inputs.labels()
    onehot = keras.utils.to_categorical(labels, inputs.CLASSES)
    numbers, guesses = inputs.smooth_targets(), scores[:, 0]
    of, weight = keras.losses, ops.convert_to_tensor(inputs.weight())
    smoothing = of.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    single = scores.astype("float32")  # TensorFlow has no top-k in float64
    signs = (labels % 2).astype("float64")
    weights = (1.0 + labels)[:, None].ravel()
    cross_entropy = of.CategoricalCrossentropy(from_logits=True)
    values = {
        "loss: cross_entropy": cross_entropy(onehot, scores),
        "loss: label smoothing": smoothing(onehot, scores),
        "loss: logistic": of.BinaryCrossentropy(from_logits=True)(signs[:, None], scores[:, :1]),
        "loss: l2": of.MeanSquaredError()(numbers, guesses),
        "loss: l1": of.MeanAbsoluteError()(numbers, guesses),
        "loss: class weights": cross_entropy(onehot, scores, sample_weight=weights),
        "penalty: l2": keras.regularizers.L2(0.01)(weight),
        "penalty: l1": keras.regularizers.L1(0.01)(weight),
        "metric: accuracy": keras.metrics.CategoricalAccuracy()(onehot, scores),
        "metric: top-3 accuracy": keras.metrics.TopKCategoricalAccuracy(3)(onehot, single),
        "metric: top-5 accuracy": keras.metrics.TopKCategoricalAccuracy(5)(onehot, single),
    }
    return {name: [float(value)] for name, value in values.items()}


def activations() -> Values:
    """Return each activation of the fixed scores."""
    of, scores = keras.activations, ops.convert_to_tensor(inputs.scores())
    made = {
        "sigmoid": of.sigmoid(scores),
        "tanh": of.tanh(scores),
        "relu": of.relu(scores),
        "elu": of.elu(scores),
        "leaky_relu": of.leaky_relu(scores, negative_slope=0.01),
        "gelu": of.gelu(scores, approximate=False),
        "silu": of.silu(scores),
    }
    return {f"activation: {name}": np.ravel(value).tolist() for name, value in made.items()}


def initializers() -> Values:
    """Return the standard deviation of 4 million draws of each initializer."""
    of = keras.initializers
    made = {
        "xavier_normal": of.GlorotNormal(1),
        "xavier_uniform": of.GlorotUniform(1),
        "he_normal": of.HeNormal(1),
        "he_uniform": of.HeUniform(1),
        "lecun_normal": of.LecunNormal(1),
        "lecun_uniform": of.LecunUniform(1),
    }
    return {
        f"initializer: {name}": [float(np.std(made((3, 3, 512, 1024))))]
        for name, made in made.items()
    }


def batch_norm() -> Values:
    """Return outputs and statistics after three batches with a momentum of 0.9."""
    layer = layers.BatchNormalization(momentum=0.9)
    outputs = [layer(inputs.scores() + batch, training=True) for batch in range(3)]
    return {
        "batch norm: outputs": np.ravel(outputs[-1]).tolist(),
        "batch norm: running mean": layer.moving_mean.numpy().tolist(),
        "batch norm: running variance": layer.moving_variance.numpy().tolist(),
    }


def training() -> Values:
    """Return the losses of 20 steps of `vgg_small` without dropout, sgd with momentum 0.9."""
    stack: list = [keras.Input((32, 32, 3))]
    for width in (32, 64):
        for _ in range(2):
            stack += [layers.Conv2D(width, 3, padding="same"), layers.Activation("elu")]
            stack += [layers.BatchNormalization(momentum=0.9)]
        stack += [layers.MaxPooling2D(2)]
    stack += [layers.Flatten(), layers.Dense(512), layers.Activation("elu")]
    stack += [layers.BatchNormalization(momentum=0.9), layers.Dense(inputs.CLASSES)]
    model = keras.Sequential(stack)
    trained = [layer for layer in model.layers if isinstance(layer, layers.Conv2D | layers.Dense)]
    for layer, (name, weight) in zip(trained, inputs.vgg_weights().items(), strict=True):
        if weight.ndim == 4:
            kernel = weight.transpose(2, 3, 1, 0)
        elif name == "head.hidden1":  # Keras flattens height, width, channels
            kernel = weight.reshape(512, 64, 8, 8).transpose(2, 3, 1, 0).reshape(4096, 512)
        else:
            kernel = weight.T
        layer.set_weights([kernel, np.zeros(weight.shape[0])])
    model.compile(
        keras.optimizers.SGD(LEARNING_RATE, momentum=0.9),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    images, labels = inputs.images()
    batch = images.transpose(0, 2, 3, 1), keras.utils.to_categorical(labels, inputs.CLASSES)
    losses: list[float] = []
    for _ in range(STEPS):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(*batch)))
    return {"training: vgg_small, 20 steps": losses}


def main() -> None:
    """Print all values and the version."""
    values: Values = {}
    parts = (optimizers, schedules, callbacks, losses, activations, initializers, batch_norm)
    for part in (*parts, training):
        values |= part()
    print(json.dumps({"version": f"Keras {keras.__version__}", "values": values}))


if __name__ == "__main__":
    main()
