"""Keras 3 `fit` with the network and data of `vgg_small`, as written in a notebook.

Only the benchmarks need Keras, so `make bench` installs it into a separate environment:
    .venv-bench/bin/python benchmarks/keras_fit.py IMAGES.npz EPOCHS VALIDATION [augmented]
Prints one line of JSON: the seconds of each epoch, including the evaluation of VALIDATION images.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from keras.src.legacy.preprocessing.image import ImageDataGenerator


def vgg_small(classes: int) -> keras.Model:
    """Return the same layers in the same order, with a batch norm momentum that equals torch's."""
    stack: list = [keras.Input((32, 32, 3))]
    for width in (32, 64):
        for _ in range(2):
            stack += [
                layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal"),
                layers.Activation("elu"),
                layers.BatchNormalization(momentum=0.9),
            ]
        stack += [layers.MaxPooling2D(2), layers.Dropout(0.25)]
    stack += [
        layers.Flatten(),
        layers.Dense(512, kernel_initializer="he_normal"),
        layers.Activation("elu"),
        layers.BatchNormalization(momentum=0.9),
        layers.Dropout(0.5),
        layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(stack)


def generator() -> ImageDataGenerator:
    """Return the augmentation of `benchmarks/augmentation.py` as Keras expresses it."""
    return ImageDataGenerator(
        rotation_range=10,
        width_shift_range=0.1,
        height_shift_range=0.1,
        shear_range=5,
        zoom_range=0.1,
        horizontal_flip=True,
    )


class Clock(keras.callbacks.Callback):
    """Measures the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self._began)


def main() -> None:
    """Train and print the times."""
    data = np.load(sys.argv[1])
    images = data["images"].transpose(0, 2, 3, 1).astype("float32") / 255.0
    images = (images - images.mean((0, 1, 2))) / images.std((0, 1, 2))
    labels = keras.utils.to_categorical(data["labels"], 10)
    model = vgg_small(10)
    assert model.count_params() == 2_171_178, model.count_params()
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    model.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    clock = Clock()
    validation = int(sys.argv[3])
    is_augmented = sys.argv[4:] == ["augmented"]
    model.fit(
        **(
            {"x": generator().flow(images, labels, batch_size=32)}
            if is_augmented
            else {"x": images, "y": labels, "batch_size": 32}
        ),
        epochs=int(sys.argv[2]),
        validation_data=(images[:validation], labels[:validation]) if validation else None,
        validation_batch_size=256,
        verbose=0,
        callbacks=[clock],
    )
    print(json.dumps({"seconds": clock.seconds, "images": len(images)}))


if __name__ == "__main__":
    main()
