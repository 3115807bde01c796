"""The style nets: training, export and evaluation."""
