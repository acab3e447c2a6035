"""People in videos: crops by boxes, tracks, and one feature for each track.

    from fastreid.deploy import Embedder
    from fastreid.video import Video, read_boxes, track_features

    tracks = track_features(Video("hall.mp4"), read_boxes("tracks.csv"), Embedder("model.onnx"))

``reading`` reads frames, ``boxes`` files of tracks, ``detection`` finds people by OpenCV,
``linking`` makes tracks of detections, ``crops`` chooses boxes and cuts them out, ``crop_folder``
writes a data set, ``track_features`` computes features, ``people`` looks for them in a gallery,
``results`` and ``sheet`` write what was found. Nothing here needs MindSpore.
"""

from .boxes import Box, BoxError, read_boxes, write_boxes
from .crop_folder import check_labels, check_new_folder, write_crop_folder
from .detection import Detections, Detector, HogPeopleDetector
from .linking import LinkSettings, TrackLinker, link_people, select_boxes
from .people import FoundPerson, Person, find_people, people_of_video, person_of_images
from .reading import Frame, Video, VideoError
from .results import write_results
from .sheet import draw_sheet
from .track_features import TrackFeature, track_features

__all__ = [
    "Box",
    "BoxError",
    "Detections",
    "Detector",
    "FoundPerson",
    "Frame",
    "HogPeopleDetector",
    "LinkSettings",
    "Person",
    "TrackFeature",
    "TrackLinker",
    "Video",
    "VideoError",
    "check_labels",
    "check_new_folder",
    "draw_sheet",
    "find_people",
    "link_people",
    "people_of_video",
    "person_of_images",
    "read_boxes",
    "select_boxes",
    "track_features",
    "write_boxes",
    "write_crop_folder",
    "write_results",
]
