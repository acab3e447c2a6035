"""What a run leaves beside its weights, and how training goes on from there."""

from .resume import (
    checkpointables_of,
    finds_checkpoint,
    load_last,
    places_in_data,
    return_to_places,
)

__all__ = [
    "checkpointables_of",
    "finds_checkpoint",
    "load_last",
    "places_in_data",
    "return_to_places",
]
