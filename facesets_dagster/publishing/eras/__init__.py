"""Planning which faces of a person belong to which era."""
