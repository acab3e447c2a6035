"""A search service: a page in the browser and an HTTP interface (JSON) to a gallery.

    from fastreid.serve import Limits, SearchService, open_model
    from fastreid.serve.app import create_app

    service = SearchService(lambda: open_model(Path("model.onnx")), "people")
    app = create_app(service, Limits(), image_roots=[Path("photos")])   # an ASGI application

``models`` opens a model, ``searching`` searches a gallery with it, ``reranking`` re-ranks results,
``explaining`` explains them. ``service`` holds model and gallery in one thread, ``pool`` the
threads of requests. ``uploads`` checks and reads pictures, ``gallery_images`` makes the small
pictures of results. ``guards`` refuse what exceeds the limits; ``schemas`` and ``api`` are the HTTP
interface, ``page`` serves the files in ``static``, ``app`` puts all together.

``guards``, ``schemas``, ``api``, ``page`` and ``app`` need the extra ``serve``. MindSpore is
imported for checkpoints only.
"""

from .limits import Limits
from .models import Model, open_model
from .searching import Found, SearchOptions
from .service import SearchService

__all__ = ["Found", "Limits", "Model", "SearchOptions", "SearchService", "open_model"]
