"""The only door that changes the library: one module per publishing asset, named like the asset.

What only reads the library belongs in `analysis`; the form of its files in `library`; SQL in `registry`.
"""
