"""What is done to old footage before it is recoloured: deinterlacing, deflickering, denoising, colour detection."""
