"""Who is who: coverage by known identities, clustering, gates, matching of clusters to identities.

Functions of arrays and frozen records. No files, no database, no models.
"""
