"""The memory of a device that a job needs, from the prediction for its network and its data."""

#: CUDA's context with the handles of cuDNN and cuBLAS.
CONTEXT_MIB = 600.0
#: Of images on the device: a tenth of the memory is left free next to them.
DATA_RATIO = 1.15
#: For workspaces of the libraries.
MARGIN_MIB = 256.0
#: What torch reserves over the predicted peak of a step, before any attempt was measured.
UNKNOWN_RATIO = 1.35


def needed_mib(step_mib: float, data_mib: float, *, ratio: float = UNKNOWN_RATIO) -> float:
    """Return the memory to plan for a training, in whole MiB.

    Args:
        step_mib: the predicted peak of a step: weights, optimizer and activations.
        data_mib: the images that stay on the device.
        ratio: of the reserved memory to `step_mib`, such as the 95 % quantile of finished attempts.
    """
    return float(round(CONTEXT_MIB + DATA_RATIO * data_mib + step_mib * ratio + MARGIN_MIB))
