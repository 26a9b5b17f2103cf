"""What `publishing.reembedding` is made of: the faces of a home as another model pack sees them."""
