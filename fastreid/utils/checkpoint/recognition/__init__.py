"""Find the weights in a file and recognize by names and shapes what they are.

``candidates`` finds all mappings of tensors in a file, ``choice`` selects the one for a model.
``description`` and ``families`` recognize the network; ``advice`` compares it with the model and
proposes settings.
"""
