"""The review page below `/review`: who is who in the library, and what people say about it."""
