"""Tell from names and shapes what a set of weights is, and whether it fits a model."""
