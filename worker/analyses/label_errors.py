"""Samples whose label is probably wrong, by confident learning. Axes: N samples, M classes."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from worker.analyses.drawing import GREY, set_titles
from worker.analyses.outcome import Outcome, Picture
from worker.analyses.predictions import predict_split
from worker.analyses.subject import AnalysisRefused, Subject, require_finite
from worker.analyses.wording import count, percent
from worker.registry import analyses
from worker.training.experiment import Split
from worker.training.topk import are_finite, is_right

#: A network that is wrong more often knows too little to judge labels.
MIN_ACCURACY = 0.6
#: Pictures in the sheet at most: rows and columns.
SHEET = (4, 5)
#: Of the titles of pictures: of few large pictures, and of many.
TITLE_SIZES = (12, 9)
#: Longer names of classes are written at an angle.
MAX_LEVEL_LETTERS = 3
#: Of a name above a picture.
MAX_LETTERS = 12
#: Cells of a larger matrix have no numbers.
MAX_NUMBERED_CLASSES = 20


@analyses.register(
    source="Northcutt, Jiang & Chuang 2021, Confident learning, JAIR 70, equations 1 to 4, "
    "arXiv:1911.00068 (prune by noise rate)",
    derivatives=0,
    networks=0,
    vectors=0,
    needs_classes=True,
)
def label_errors(
    subject: Subject,
    /,
    *,
    split: Literal["validation", "train"] = "validation",
    limit: Annotated[int, Field(ge=1, le=1000)] = 50,
) -> Outcome:
    """Samples whose label is probably wrong, and which classes are mixed up.

    A class is considered possible for a sample where its probability reaches the average that the
    samples of the class have. On training data a network that overfits agrees with wrong labels, so
    the validation split is the default. Nothing is deleted: look at the samples first.

    Args:
        subject: the network and its data.
        split: whose labels are judged.
        limit: at most so many samples are listed; the arrays have all of them.
    """
    experiment = subject.experiment
    own: Split = getattr(experiment.splits, split)
    names = experiment.class_names
    if not names:
        raise AnalysisRefused("Label errors need classes, but the job predicts a number.")
    total = len(own.labels) + 1
    predictions = predict_split(subject, split, lambda done: subject.report(done, total))
    labels_N = predictions.targets_N
    probabilities_NM = predictions.outputs_NM.double().softmax(1)
    is_finite_N = are_finite(predictions.outputs_NM)
    if not is_finite_N.any():
        require_finite(math.nan)
    thresholds_M = class_thresholds(probabilities_NM[is_finite_N], labels_N[is_finite_N])
    joint_MM = confident_joint(probabilities_NM[is_finite_N], labels_N[is_finite_N], thresholds_M)
    counts_MM = calibrated(joint_MM, labels_N.bincount(minlength=len(names)))
    found = prune_by_noise_rate(probabilities_NM, labels_N, counts_MM, is_finite_N)
    accuracy = is_right(predictions.outputs_NM, labels_N).double().mean().item()
    wrong = counts_MM.sum().item() - counts_MM.diagonal().sum().item()
    issues = [_issue(own, names, probabilities_NM, labels_N, *pair) for pair in found[:limit]]
    result: dict[str, Any] = {
        "issues": issues,
        "found": len(found),
        "estimated_errors": wrong,
        "estimated_share": wrong / len(labels_N),
        "joint": counts_MM.tolist(),
        "classes": list(names),
        "thresholds": [value if value < torch.inf else None for value in thresholds_M.tolist()],
        "accuracy": accuracy,
        "is_reliable": accuracy >= MIN_ACCURACY and split != "train",
        "split": split,
        "samples": len(labels_N),
    }
    pictures = [Picture("joint", lambda drawing: _draw_joint(drawing, result))]
    if issues and not experiment.features:
        chosen = torch.tensor([index for index, _ in found[: SHEET[0] * SHEET[1]]])
        images_NCHW = own.images[chosen]
        pictures.append(
            Picture("samples", lambda drawing: _draw_samples(drawing, images_NCHW, issues))
        )
    return Outcome(
        result,
        summary=tuple(_sentences(result)),
        arrays={
            "indices": own.indices[torch.tensor([index for index, _ in found], dtype=torch.int64)],
            "suggested": torch.tensor([label for _, label in found], dtype=torch.int64),
            "joint": counts_MM,
            "probabilities": probabilities_NM,
        },
        pictures=tuple(pictures),
    )


def class_thresholds(probabilities_NM: Tensor, labels_N: Tensor) -> Tensor:
    """Return t_j, the mean probability of class j over the samples labelled j, [M] (eq. 2).

    It is infinite for a class without samples, which is then never suggested.
    """
    own_N = probabilities_NM.gather(1, labels_N.unsqueeze(1)).squeeze(1)
    classes = probabilities_NM.shape[1]
    sums_M = torch.zeros(classes, dtype=torch.float64).index_add_(0, labels_N, own_N)
    counts_M = labels_N.bincount(minlength=classes)
    return torch.where(counts_M > 0, sums_M / counts_M, torch.inf)


def confident_joint(probabilities_NM: Tensor, labels_N: Tensor, thresholds_M: Tensor) -> Tensor:
    """Return C[i, j]: samples labelled i whose likeliest class above its threshold is j (eq. 1)."""
    classes = len(thresholds_M)
    possible_NM = probabilities_NM >= thresholds_M
    likely_N = probabilities_NM.where(possible_NM, -1).argmax(1)
    is_counted_N = possible_NM.any(1)
    cells = labels_N[is_counted_N] * classes + likely_N[is_counted_N]
    return cells.bincount(minlength=classes**2).view(classes, classes)


def calibrated(joint_MM: Tensor, counts_M: Tensor) -> Tensor:
    """Return the joint counts with rows that sum to the number of samples of each label (eq. 3)."""
    rows_M1 = joint_MM.sum(1, keepdim=True).double()
    identity_MM = torch.eye(len(counts_M), dtype=torch.float64)
    shares_MM = torch.where(rows_M1 > 0, joint_MM / rows_M1.clamp(min=1), identity_MM)
    return shares_MM * counts_M.unsqueeze(1)


def prune_by_noise_rate(
    probabilities_NM: Tensor, labels_N: Tensor, counts_MM: Tensor, is_finite_N: Tensor
) -> list[tuple[int, int]]:
    """Return samples and suggested classes: from each cell i ≠ j of the joint as many as it counts.

    Samples with the largest margin p_j − p_i come first, in a cell and in the result.
    """
    margins: dict[int, tuple[float, int]] = {}
    for label, row in enumerate(counts_MM.round().long().tolist()):
        samples = ((labels_N == label) & is_finite_N).nonzero().squeeze(1)
        for suggested, amount in enumerate(row):
            if label == suggested or not amount or not len(samples):
                continue
            margin = probabilities_NM[samples, suggested] - probabilities_NM[samples, label]
            values, order = margin.topk(min(amount, len(samples)))
            for value, index in zip(values.tolist(), samples[order].tolist(), strict=True):
                if value > margins.get(index, (0.0, 0))[0]:
                    margins[index] = (value, suggested)
    ranked = sorted(margins.items(), key=lambda item: (-item[1][0], item[0]))
    return [(index, suggested) for index, (_, suggested) in ranked]


def _issue(
    split: Split,
    names: tuple[str, ...],
    probabilities_NM: Tensor,
    labels_N: Tensor,
    index: int,
    suggested: int,
) -> dict[str, Any]:
    label = int(labels_N[index])
    return {
        "sample": int(split.indices[index]),
        "label": names[label],
        "suggested": names[suggested],
        "label_probability": probabilities_NM[index, label].item(),
        "suggested_probability": probabilities_NM[index, suggested].item(),
    }


def _sentences(result: Mapping[str, Any]) -> Iterator[str]:
    labels, found = count(result["samples"], "label"), result["found"]
    named = f"{count(found, 'sample')} {'is' if found == 1 else 'are'} named"
    order = "" if found < 2 else ", the most certain first"
    yield (
        f"About {result['estimated_errors']:.0f} of {labels} of the {result['split']} split "
        f"({percent(result['estimated_share'])}) are estimated to be wrong; "
        f"{named if found else 'none is certain enough to be named'}{order}."
    )
    pairs = [
        (amount, result["classes"][i], result["classes"][j])
        for i, row in enumerate(result["joint"])
        for j, amount in enumerate(row)
        if i != j and amount >= 0.5
    ]
    for amount, label, suggested in sorted(pairs, reverse=True)[:3]:
        yield f"{amount:.0f} labelled {label} look like {suggested}."
    if result["found"] and result["accuracy"] >= MIN_ACCURACY:
        yield (
            f"The network disagrees with {percent(1 - result['accuracy'])} of the labels, and its "
            "own errors look the same: look at the samples before you correct a label."
        )
    if result["accuracy"] < MIN_ACCURACY:
        yield (
            f"The network is right on only {percent(result['accuracy'])} of the samples: it knows "
            "too little to judge labels."
        )
    if result["split"] == "train":
        yield "The network has seen these labels in training and may agree with wrong labels."


def _draw_joint(drawing: Any, result: Mapping[str, Any]) -> None:
    """Draw the estimated joint of labels and true classes, without its diagonal."""
    axes, names = drawing.subplots(), result["classes"]
    joint = torch.tensor(result["joint"], dtype=torch.float64)
    shown = joint - joint.diagonal().diag()
    largest = max(1.0, shown.max().item())
    image = axes.imshow(shown.tolist(), cmap="Blues", vmin=0, vmax=largest)
    drawing.colorbar(image, label="estimated samples with a wrong label")
    if len(names) <= MAX_NUMBERED_CLASSES:
        is_long = max(map(len, names)) > MAX_LEVEL_LETTERS
        angle = {"rotation": 60, "ha": "right"} if is_long else {}
        axes.set_xticks(range(len(names)), names, **angle)
        axes.set_yticks(range(len(names)), names)
        for i, row in enumerate(joint.tolist()):
            for j, amount in enumerate(row):
                text = f"{amount:.0f}" if amount >= 0.5 else ""
                is_dark = i != j and amount > largest / 2
                colour = "white" if is_dark else GREY if i == j else "black"
                axes.text(j, i, text, ha="center", va="center", color=colour)
    axes.set_xlabel("class by the network")
    axes.set_ylabel("label in the data set")
    set_titles(
        drawing,
        f"About {result['estimated_errors']:.0f} labels are estimated to be wrong",
        f"{count(result['samples'], 'sample')} of the {result['split']} split, accuracy of the "
        f"network {percent(result['accuracy'])}; the diagonal (grey) agrees",
    )


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_LETTERS else f"{name[: MAX_LETTERS - 1]}…"


def _draw_samples(drawing: Any, images_NCHW: Tensor, issues: list[dict[str, Any]]) -> None:
    """Draw the samples with the most certain issues: label → suggested class."""
    total = len(images_NCHW)
    columns = min(SHEET[1], math.ceil(total**0.5))
    cells = drawing.subplots(math.ceil(total / columns), columns, squeeze=False).ravel()
    for cell in cells:
        cell.axis("off")
    for cell, image_CHW, issue in zip(cells, images_NCHW, issues, strict=False):
        pixels = image_CHW.permute(1, 2, 0)
        is_grey = pixels.shape[2] == 1
        cell.imshow(
            (pixels[:, :, 0] if is_grey else pixels).tolist(), cmap="gray" if is_grey else None
        )
        names = f"{_shortened(issue['label'])} → {_shortened(issue['suggested'])}"
        cell.set_title(f"{issue['sample']}: {names}", fontsize=TITLE_SIZES[columns > 2])
    set_titles(
        drawing,
        "Labels that are probably wrong",
        "index in the data set: label → class by the network; the most certain first",
    )
