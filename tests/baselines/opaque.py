"""An operator without its closed forms, for the routes that iterate."""

from deepinv.physics import LinearPhysics


class Opaque(LinearPhysics):
    """Hides the closed-form prox of ``inner``."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def A(self, x, **kwargs):
        return self.inner.A(x)

    def A_adjoint(self, y, **kwargs):
        return self.inner.A_adjoint(y)
