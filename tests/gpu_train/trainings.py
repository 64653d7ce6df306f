"""What is trained, in the order of its importance, with the published figures that it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.errors import unknown


@dataclass(frozen=True)
class Training:
    """A method, as ``-m`` takes it, on a track, and its share of the time.

    ``pace`` is the first guess of steps a second on a card, from which the first number of steps comes; the pace that
    is seen corrects it. The weights are scored on the tracks ``then`` too. ``published`` holds figures by track. In the
    short form ``short`` takes the place of method, track and ``then``.
    """

    name: str
    method: str
    track: str
    share: float
    pace: float
    short: tuple[str, str, tuple[str, ...]]
    then: tuple[str, ...] = ()
    published: Mapping[str, str] = field(default_factory=dict)
    by_name: bool = False  # only where it is asked for
    steps: int | None = None  # fixed ones


BRAIN = "mri:brain-r20"
SMALL = ("denoising:mini", ())

TRAININGS = (
    Training(
        "dncnn",
        "dncnn:layers=20",
        "denoising:bsd68-mixed",
        share=2.5,
        pace=25,
        short=("dncnn:layers=3,width=8", "denoising:mini", ("denoising:mini-laplace",)),
        then=("denoising:bsd68-s15", "denoising:bsd68-s25", "denoising:bsd68-s50"),
        published={"denoising:bsd68-s15": "31.61", "denoising:bsd68-s25": "29.16", "denoising:bsd68-s50": "26.23"},
    ),
    Training(
        "tnrd",
        "tnrd",
        "denoising:bsd68-s25",
        share=1,
        pace=8,
        short=("tnrd:steps=1", *SMALL),
        published={"denoising:bsd68-s25": "28.92 with filters of 7x7"},
    ),
    Training(
        "admm_net",
        "admm_net:stages=15",
        BRAIN,
        share=1,
        pace=8,
        short=("admm_net:stages=1", "mri:mini", ()),
        published={BRAIN: "37.17, trained on brains"},
    ),
    Training(
        "ista_net",
        "ista_net",
        BRAIN,
        share=1,
        pace=7,
        short=("ista_net:phases=1", "mri:mini", ()),
        published={BRAIN: "38.73, trained on brains"},
    ),
    Training(
        "learned_primal_dual",
        "learned_primal_dual",
        "ct:aapm12-60",
        share=1.2,
        pace=8,
        short=("learned_primal_dual:iterations=1", "ct:mini", ()),
    ),
    Training("unet", "unet", "ct:aapm12-60", share=1, pace=15, short=("unet:width=8", "ct:mini", ())),
    Training(
        "vnet",
        "vnet",
        "qsm:qsm2016",
        share=1.2,
        pace=6,
        short=("vnet", "qsm:mini", ()),
        published={"qsm:qsm2016": "51 to 62 % NRMSE of published networks"},
    ),
    *(
        Training(
            f"tnrd-s{sigma}",
            "tnrd",
            f"denoising:bsd68-s{sigma}",
            share=1,
            pace=8,
            short=("tnrd:steps=1", *SMALL),
            published={f"denoising:bsd68-s{sigma}": f"{figure} with filters of 7x7"},
            by_name=True,
        )
        for sigma, figure in ((15, "31.42"), (50, "25.97"))
    ),
    Training(
        "ellipses-learned_primal_dual",
        "learned_primal_dual:iterations=10,memory=5",
        "ct:ellipses",
        share=1,
        pace=15,
        short=("learned_primal_dual:iterations=1", "ct:mini", ()),
        published={"ct:ellipses": "38.28 after 100,000 steps"},
        by_name=True,
    ),
    Training(
        "ellipses-unet",
        "unet:width=64,levels=4",
        "ct:ellipses",
        share=1,
        pace=25,
        short=("unet:width=8", "ct:mini", ()),
        published={"ct:ellipses": "29.20 after 100,000 steps"},
        by_name=True,
    ),
)
SHORT_STEPS = 2


def chosen(only: Sequence[str], short: bool, steps: int | None, earlier: Mapping[str, int]) -> list[Training]:
    """The trainings of a call. ``earlier`` holds the steps of stopped ones, which go on with as many.

    Raises `BenchError` where ``only`` names none.
    """
    by_name = {one.name: one for one in TRAININGS}
    for name in only:
        if name not in by_name:
            raise unknown("training", name, by_name)
    found: Iterable[Training] = [one for one in TRAININGS if (one.name in only if only else not one.by_name)]
    if short:
        found = (replace(in_short(one), steps=SHORT_STEPS) for one in found)
    return [replace(one, steps=steps or earlier.get(one.name, one.steps)) for one in found]


def in_short(training: Training) -> Training:
    method, track, then = training.short
    return replace(training, method=method, track=track, then=then, published={})
