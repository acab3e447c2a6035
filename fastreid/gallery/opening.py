"""Open a gallery by its name."""

from __future__ import annotations

from pathlib import Path

from .embedded import ENTRIES, EmbeddedGallery
from .faiss_index import FaissGallery
from .interface import Description, Gallery, GalleryError
from .milvus_gallery import LITE, MilvusGallery

_FAISS = "faiss:"
_SERVERS = ("http://", "https://", "tcp://")


def open_gallery(name: str, *, create: Description | None = None) -> Gallery:
    """Open a gallery, or make a new one.

    Args:
        name: a folder; ``faiss:FOLDER`` searches it by FAISS; a file that ends with .db is one of
            Milvus Lite, and an address such as ``http://localhost:19530`` a server of Milvus.
        create: what a new gallery holds; None: the gallery must exist.

    Returns:
        The gallery, to be closed, as by a ``with`` statement.

    Raises:
        GalleryError: if there is none, it is damaged, or it differs from `create`.
        ImportError: if FAISS or Milvus is asked for and not installed.

    Examples:
        >>> import numpy as np
        >>> from fastreid.gallery import Description, Entry, open_gallery
        >>> with open_gallery("shop", create=Description(dimension=2)) as gallery:
        ...     gallery.add(np.array([[1.0, 0.0], [0.6, 0.8]]), [Entry("a.jpg"), Entry("b.jpg")])
        ...     ((best, second),) = gallery.search(np.array([[0.0, 2.0]]), top=2)
        >>> best.entry.key, round(best.similarity, 4), second.entry.key
        ('b.jpg', 0.8, 'a.jpg')
    """
    if name.startswith(_SERVERS) or name.endswith(LITE):
        return MilvusGallery(name, create=create)
    if name.startswith(_FAISS):
        return FaissGallery(name[len(_FAISS) :], create=create)
    return EmbeddedGallery(name, create=create)


def is_gallery(name: str) -> bool:
    """Return whether a name is one of a gallery: an address, a file of Milvus Lite, or a folder.

    Args:
        name: as for `open_gallery`; a folder must be a gallery already.
    """
    if name.startswith((*_SERVERS, _FAISS)) or name.endswith(LITE):
        return True
    return (Path(name) / ENTRIES).is_file()


def require_model(gallery: Gallery, name: str, *, model: str, source: str) -> None:
    """Check that queries are computed by the model of a gallery, if that is known.

    Args:
        gallery: the gallery.
        name: its name, for the message.
        model: hash of the weights that compute the queries.
        source: their file, for the message.

    Raises:
        GalleryError: if the models differ.
    """
    own = gallery.description.model
    if own and own != model:
        raise GalleryError(
            f"The features of the gallery {name} come from the model {own}, {source} is {model}; "
            "features of two models cannot be compared."
        )
