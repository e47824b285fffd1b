"""A careful hand-written training loop, which ours is compared with.

No progress, no checkpoints, no metrics: PyTorch as its tutorials show it, with the data on the
device as uint8 and in channels-last. Only the images come from Trainshed, so that they are equal.
    python -m benchmarks.bare_loop --images 5000 --epochs 3 --precision float32
Prints one line of JSON: the images per second of each epoch.
Axes: N samples, C channels, H height, W width, M classes.
"""

import argparse
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

#: Images that are evaluated at once.
EVALUATION_BATCH = {"cpu": 256, "cuda": 2048}
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def vgg_small(channels: int = 3, size: int = 32, classes: int = 10) -> nn.Sequential:
    """Return the small VGG, written out."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, outputs, 3, padding="same"),
            nn.ELU(),
            nn.BatchNorm2d(outputs, eps=1e-3),
            nn.Conv2d(outputs, outputs, 3, padding="same"),
            nn.ELU(),
            nn.BatchNorm2d(outputs, eps=1e-3),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        ]

    return nn.Sequential(
        *block(channels, 32),
        *block(32, 64),
        nn.Flatten(),
        nn.Linear(64 * (size // 4) ** 2, 512),
        nn.ELU(),
        nn.BatchNorm1d(512, eps=1e-3),
        nn.Dropout(0.5),
        nn.Linear(512, classes),
    )


def bare_epochs(
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    precision: str = "float32",
    validation: tuple[Tensor, Tensor] | None = None,
    device: str = "cpu",
) -> list[float]:
    """Train, and return the images per second of each epoch.

    Args:
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        epochs: passes over all images.
        batch_size: images in a step.
        precision: float32, bfloat16 or float16.
        validation: images and labels to evaluate after each epoch; counted in the time.
        device: the device to train on.
    """
    torch.manual_seed(0)
    _, channels, height, _ = images.shape
    model = vgg_small(channels, height).to(device)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
    images, labels = images.to(device), labels.to(device)
    pixels = images.float().div(255)
    mean, std = pixels.mean((0, 2, 3)).view(1, -1, 1, 1), pixels.std((0, 2, 3)).view(1, -1, 1, 1)
    images = images.contiguous(memory_format=torch.channels_last)
    if validation is not None:
        held_out = validation[0].to(device, memory_format=torch.channels_last)
        validation = held_out, validation[1].to(device)

    def prepared(batch: Tensor) -> Tensor:
        return batch.to(memory_format=torch.channels_last).float().div_(255).sub_(mean).div_(std)

    def half() -> AbstractContextManager[object]:
        return torch.autocast(device, DTYPES[precision]) if precision in DTYPES else nullcontext()

    def scores(batch: Tensor) -> Tensor:
        with half():
            return model(prepared(batch))

    rates: list[float] = []
    for _ in range(epochs):
        wait(device)
        start = time.perf_counter()
        model.train()
        for chosen in torch.randperm(len(images), device=device).split(batch_size):
            loss = functional.cross_entropy(scores(images[chosen]).float(), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        if validation is not None:
            model.eval()
            accuracy(scores, *validation)
        wait(device)
        rates.append(len(images) / (time.perf_counter() - start))
    return rates


@torch.inference_mode()
def accuracy(scores: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> float:
    """Return the fraction of images whose label has the highest score."""
    correct = torch.zeros((), dtype=torch.int64, device=labels.device)
    size = EVALUATION_BATCH[labels.device.type]
    for batch, batch_labels in zip(images.split(size), labels.split(size), strict=True):
        correct += (scores(batch).argmax(1) == batch_labels).sum()
    return correct.item() / len(images)


def wait(device: str) -> None:
    """Wait until the device has finished its work."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def photographs(count: int) -> tuple[Tensor, Tensor]:
    """Return the images and labels that the benchmarks' jobs train on."""
    from worker.data import load_splits  # noqa: PLC0415 - the loop itself does not use Trainshed
    from worker.data.tensors import take  # noqa: PLC0415

    sizes = {"train": count, "validation": 1000, "test": 1000, "image_size": 32, "channels": 3}
    home = Path(__file__).parents[1] / "home" / "benchmarks"
    dataset, splits = load_splits(
        {"name": "fashion-mnist", **sizes},
        seed=0,
        data_dir=home / "data",
        cache_dir=home / "cache",
    )
    images, labels, _ = take(dataset, splits.train)
    return images, labels


def save_images(path: str, count: int) -> None:
    """Write the same images to a file, for loops that cannot import this module."""
    images, labels = photographs(count)
    np.savez(path, images=images.numpy(), labels=labels.numpy())


def main() -> None:
    """Train with the options of the command line and print the speeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--validation", type=int, default=0, help="images evaluated each epoch")
    parser.add_argument("--precision", choices=["float32", *DTYPES], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    images, labels = photographs(options.images)
    evaluated = (images[: options.validation], labels[: options.validation])
    rates = bare_epochs(
        images,
        labels,
        validation=evaluated if options.validation else None,
        epochs=options.epochs,
        batch_size=options.batch_size,
        precision=options.precision,
        device=options.device,
    )
    print(json.dumps({"images_per_second": rates}))


if __name__ == "__main__":
    main()
