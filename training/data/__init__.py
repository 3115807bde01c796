"""Training data: faces, photos, clips, and the look of old film."""
