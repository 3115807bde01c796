"""MediaPipe behind adapters: face detection and person segmentation."""
