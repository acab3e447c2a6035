"""Features of a test set and their labels.

``feature_table`` collects them in memory, ``gathering`` gathers them from several processes,
``feature_file`` stores them on disk, ``image_paths`` finds the image files of a feature file.
"""
