"""Galleries: features of known images, kept on disk, that queries are searched in.

    from fastreid.gallery import Entry, Filter, open_gallery

    with open_gallery("people.gallery", create=Description(512, model)) as gallery:
        gallery.add(features, [Entry("a.jpg", pid="7", camid="entrance"), ...])
        matches = gallery.search(query_features, top=10, only=Filter(camids={"hall"}))

``interface`` defines what every gallery does, ``embedded`` keeps one in a folder (nothing to
install), ``faiss_index`` searches such a folder by FAISS, ``milvus_gallery`` keeps one in Milvus,
``nearest`` finds the nearest rows of a large matrix, ``opening`` chooses by the name. Similarity is
the cosine of two features.
"""

from .embedded import EmbeddedGallery
from .interface import Description, Entry, Filter, Gallery, GalleryError, Match
from .opening import open_gallery

__all__ = [
    "Description",
    "EmbeddedGallery",
    "Entry",
    "Filter",
    "Gallery",
    "GalleryError",
    "Match",
    "open_gallery",
]
