"""What labels are worth: label sets against pairs of images, as curves, areas and profiles."""
