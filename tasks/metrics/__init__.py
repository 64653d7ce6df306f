"""Scores of images and of findings. Start at `declared`: the metrics that tracks declare, with their conventions.

`region` chooses the scored part (real part, magnitude, mask); `image`, `qsm` and `metal` are the functions behind the
names.
`segmentation` scores the label map of one image, `detection` the lesions found in a set of images. `calibration` scores
the standard deviation that an estimate may hold, for every track, and no rank depends on it. `anatomy` finds the region
that a finding should come from.

Dice, AUROC and the surface distance are written here although torchmetrics and MONAI have them: empty masks and sets of
one kind need the values below, and those packages take seconds to import. Tests compare ours with theirs.

A score is a finite number for every finite image, also where the formula divides by zero:

- PSNR is at most 160 dB, which stands for an exact image: answers in single precision stay below.
- A relative error (NMSE, NRMSE, HFEN) of an empty reference (zero, or constant where the mean is removed) is 0 for an
  empty answer too, and 1 (100 %) for any other: as wrong as an empty answer is to any other image.
- SSIM and XSIM are finite by their constants.
- Two empty masks agree (Dice 1, surface distance 0); of an empty and another one the surface distance is the diagonal
  of the image. A set without nodules has a sensitivity of 1; one without or of nothing but sick slices an AUROC of 1/2.
"""
