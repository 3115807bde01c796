"""What a sink is made of: the muxer, the streams beside the video, and the metadata of the output."""
