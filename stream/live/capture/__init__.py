"""Live inputs: cameras, network streams, files at their own pace."""
