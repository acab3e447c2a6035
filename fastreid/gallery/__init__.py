"""Galleries: features of known images, kept on disk, that queries are searched in.

    from fastreid.gallery import Entry, Filter, open_gallery

    with open_gallery("people.gallery", create=Description(512, model)) as gallery:
        gallery.add(features, [Entry("a.jpg", pid="7", camid="entrance"), ...])
        matches = gallery.search(query_features, top=10, only=Filter(camids={"hall"}))

``interface`` defines what every gallery does, ``embedded`` keeps one in a folder (nothing to
install), ``faiss_index`` searches such a folder by FAISS, ``milvus_gallery`` keeps one in Milvus,
``nearest`` finds the nearest rows of a large matrix, ``opening`` chooses by the name. ``averaging``
makes one query of several images, ``identities`` lists each identity once, ``command`` has what
commands that search share, ``times`` reads when images were taken. Similarity is the cosine of two
features.
"""

from .averaging import mean_direction
from .embedded import EmbeddedGallery
from .identities import search_identities
from .interface import Description, Entry, Filter, Gallery, GalleryError, Match
from .opening import is_gallery, open_gallery, require_model

__all__ = [
    "Description",
    "EmbeddedGallery",
    "Entry",
    "Filter",
    "Gallery",
    "GalleryError",
    "Match",
    "is_gallery",
    "mean_direction",
    "open_gallery",
    "require_model",
    "search_identities",
]
