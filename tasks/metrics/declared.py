"""The metrics that tracks declare, with their conventions; their functions are in `tasks.metrics.image` and `.qsm`."""

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


# Susceptibility maps, demeaned and scored inside the mask
QSM = (
    Metric("nrmse", "tasks.metrics.qsm:nrmse", False, {"mask": True, "demean": True}, unit="%"),
    Metric("hfen", "tasks.metrics.qsm:hfen", False, {"mask": True, "demean": True}, unit="%"),
    Metric("xsim", "tasks.metrics.qsm:xsim", True, {"mask": True, "demean": True}),
)
