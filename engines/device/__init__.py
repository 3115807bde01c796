"""Frames in a GPU's memory: their planes, and effects on them. Needs torch.

Everything here is tested on torch's CPU device, against the effects of :mod:`emocolor.effects`. On a GPU it has not run
yet: ``REQUIRE_GPU=1 python -m pytest -m gpu`` runs the same tests there.
"""
