"""One reader and one writer for each file format of weights; nothing in a file is executed."""
