"""Old footage before it is recoloured: interlacing, flicker, grain, colour detection."""
