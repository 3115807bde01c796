"""``python -m training.colorizer``: train a colorizer."""

from .train import main

main()
