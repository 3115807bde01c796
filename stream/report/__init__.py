"""What a job leaves for people to look at: timelines, strips of frames, comparisons."""
