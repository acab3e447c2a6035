"""The compiled parts of a training step, and what watches over their numbers."""
