"""The metrics that tracks declare, with their conventions; their functions are in the files beside this one."""

from bench.contract.task import Metric


def psnr_ssim(data_range: float, on: str = "values") -> tuple[Metric, Metric]:
    """Peak signal-to-noise ratio and structural similarity; ``on`` chooses the scored part of a complex image."""
    convention = {"data_range": data_range, "on": on}
    return (
        Metric("psnr", "tasks.metrics.image:psnr", True, convention, unit="dB"),
        Metric("ssim", "tasks.metrics.image:ssim", True, convention),
    )


def psnr_of_best_shift(data_range: float, reach: int = 2) -> Metric:
    """PSNR of the best shift by up to ``reach`` pixels: a shift of the kernel undoes a shift of the image."""
    convention = {"data_range": data_range, "reach": reach}
    return Metric("shifted_psnr", "tasks.metrics.image:psnr_of_best_shift", True, convention, unit="dB")


def nmse(on: str = "values") -> Metric:
    """Normalised mean squared error."""
    return Metric("nmse", "tasks.metrics.image:nmse", False, {"on": on})


def outside_of_metal(data_range: float, water: float) -> tuple[Metric, ...]:
    """PSNR outside of the metal; streaks and bias in soft tissue near it, with the attenuation of ``water``."""
    return (
        Metric("psnr", "tasks.metrics.image:psnr", True, {"data_range": data_range, "mask": True}, unit="dB"),
        Metric("streaks", "tasks.metrics.metal:streaks", False, {"water": water}, unit="HU"),
        Metric("bias", "tasks.metrics.metal:bias", False, {"water": water}, unit="HU"),
    )


# Susceptibility maps, demeaned and scored inside the mask
QSM = (
    Metric("nrmse", "tasks.metrics.qsm:nrmse", False, {"mask": True, "demean": True}, unit="%"),
    Metric("hfen", "tasks.metrics.qsm:hfen", False, {"mask": True, "demean": True}, unit="%"),
    Metric("xsim", "tasks.metrics.qsm:xsim", True, {"mask": True, "demean": True}),
)


# Nodules: scores of the test set by its candidates, and of one slice by its mask
CANDIDATES = "tasks.metrics.detection:record"
NODULES = (
    Metric("cpm", "tasks.metrics.detection:cpm", True, of="finding", record=CANDIDATES),
    Metric("sensitivity", "tasks.metrics.detection:sensitivity", True, of="finding", record=CANDIDATES),
    Metric("auroc", "tasks.metrics.detection:auroc", True, of="finding", record=CANDIDATES),
    Metric("dice", "tasks.metrics.segmentation:dice", True, of="finding"),
)


def tissues(*names: str) -> tuple[Metric, ...]:
    """Dice, the mean over tissues first, and the mean surface distance; ``names`` are in the order of the channels."""
    dice, distance = "tasks.metrics.segmentation:dice", "tasks.metrics.segmentation:surface_distance"
    return (
        Metric("dice", dice, True, of="finding"),
        *(Metric(f"dice_{name}", dice, True, {"channel": k}, of="finding") for k, name in enumerate(names)),
        Metric("surface_distance", distance, False, of="finding", unit="px"),
    )
