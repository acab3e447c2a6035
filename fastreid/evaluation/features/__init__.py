"""Features of a test set and their labels.

``feature_table`` collects them in memory, ``gathering`` gathers them from several processes,
``feature_file`` stores them on disk in one file, ``part_file`` and ``part_folder`` in many Parquet
files, ``image_paths`` finds the image files of a feature file.
"""
