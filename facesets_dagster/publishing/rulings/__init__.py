"""Planning what rulings make of the library."""
