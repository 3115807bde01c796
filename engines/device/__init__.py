"""Frames in GPU memory: their planes, and effects on them. Needs torch.

All of it is tested on torch's CPU device against the effects of :mod:`emocolor.effects`. It has not run on a GPU yet:
``REQUIRE_GPU=1 python -m pytest -m gpu`` runs the same tests there.
"""
