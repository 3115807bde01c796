"""``python -m training.style``: train a style net."""

from .train import main

main()
