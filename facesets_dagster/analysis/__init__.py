"""What asks the library and never changes it: one module per asset, named like the asset.

Reports, exports for consumers, proposals and explanations. What changes the library belongs in `publishing`.
"""
