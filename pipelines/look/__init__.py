"""A first look at a prepared data set: numbers, pictures and a page."""
