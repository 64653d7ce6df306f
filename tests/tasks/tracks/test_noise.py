"""The physics of a track has the noise that the track declares."""

from deepinv import physics as models
from every_track import opened

NOISE_MODELS = {
    "gaussian": models.GaussianNoise,
    "poisson": models.PoissonNoise,
    "impulse": models.SaltPepperNoise,
    "speckle": models.GammaNoise,
    "laplace": models.LaplaceNoise,
    "rician": models.RicianNoise,
    "photon": models.LogPoissonNoise,
    "none": models.ZeroNoise,
}


def test_the_noise_model_is_of_the_declared_law(open_track):
    _, _, physics = opened(open_track.id).batched()
    assert isinstance(physics.noise_model, NOISE_MODELS[open_track.noise])
