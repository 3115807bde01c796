"""The emotion classifiers: training, export and evaluation."""
