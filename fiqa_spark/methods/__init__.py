"""What grades images: a folder a method, and what methods share beside them."""
