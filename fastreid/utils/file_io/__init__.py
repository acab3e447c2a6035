"""Paths and folders, the same in every working directory."""
