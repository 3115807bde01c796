"""``python -m training.emotion``: train an emotion classifier."""

from .train import main

main()
