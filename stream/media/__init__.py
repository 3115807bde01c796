"""FFmpeg behind adapters: sources and sinks, decoders and encoders."""
