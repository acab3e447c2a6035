"""Rendering of pictures: drawn persons in front of drawn backgrounds.

`identity` and `domain` define how a person and a data set look; `pose`, `figure` and `head` draw a
person on a `canvas`; `backdrop` draws the background; `render` combines them into a picture.
"""
