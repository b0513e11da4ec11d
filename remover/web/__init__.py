"""A local page on which a person says which stage-1 results are good.

``server`` listens on this machine alone; ``guard`` turns away whatever does not come from the
page itself; ``app`` answers; the page lies in ``assets/web``. Needs the extra ``web``.
"""

from remover.web.server import serve

__all__ = ["serve"]
