"""Make the image files of data sets whose releases have another form.

`cuhk03` extracts images and splits from the .mat files of CUHK03; `cuhk_sysu_crops` cuts the
persons out of the frames of CUHK-SYSU; `prepared_folder` chooses where such files are written.
"""
