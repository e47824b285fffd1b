"""The training loop that a careful person writes by hand, as the measure of our own.

No progress, no checkpoints, no metrics but the loss: PyTorch as its manual shows it, with the
data on the device as uint8 and in channels-last. Imports nothing of ours.
Axes: N samples, C channels, H height, W width, M classes.
"""

import time
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def vgg_small(channels: int = 3, size: int = 32, classes: int = 10) -> nn.Sequential:
    """The small VGG, written out."""

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
) -> float:
    """Train for some epochs and return the images trained on per second.

    Args:
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        epochs: how often all of them are gone through.
        batch_size: images a step.
        precision: float32, bfloat16 or float16.
        validation: images and labels that are evaluated after each epoch, inside the clock.
        device: where to train.
    """
    torch.manual_seed(0)
    _, channels, height, _ = images.shape
    model = vgg_small(channels, height).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
    images, labels = images.to(device), labels.to(device)
    pixels = images.float().div(255)
    mean, std = pixels.mean((0, 2, 3)).view(1, -1, 1, 1), pixels.std((0, 2, 3)).view(1, -1, 1, 1)
    images = images.contiguous(memory_format=torch.channels_last)

    def prepared(batch: Tensor) -> Tensor:
        return batch.to(memory_format=torch.channels_last).float().div_(255).sub_(mean).div_(std)

    def half() -> torch.autocast | nullcontext[None]:
        return torch.autocast(device, DTYPES[precision]) if precision in DTYPES else nullcontext()

    _wait(device)
    start = time.perf_counter()
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(images), device=device)
        for chosen in order.split(batch_size):
            with half():
                loss = functional.cross_entropy(model(prepared(images[chosen])), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        if validation is not None:
            _accuracy(model, *validation, prepared=prepared, half=half)
    _wait(device)
    return epochs * len(images) / (time.perf_counter() - start)


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, *, prepared, half) -> float:  # noqa: ANN001
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=labels.device)
    with torch.inference_mode(), half():
        for start in range(0, len(images), 256):
            logits_NM = model(prepared(images[start : start + 256]))  # noqa: N806
            right += (logits_NM.argmax(1) == labels[start : start + 256]).sum()
    return right.item() / len(images)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
