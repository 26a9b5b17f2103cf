"""Photos are read and decoded in processes of their own: what a file does to its decoder costs that file alone."""
