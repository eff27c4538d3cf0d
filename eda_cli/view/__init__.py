"""What is seen: observations folded into a picture, and the faces that show it. Knows neither runs nor channels."""
