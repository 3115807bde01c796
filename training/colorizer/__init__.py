"""The colorizers: training, export and evaluation."""
