"""The compiled parts of training steps, and the checks of their numbers."""
