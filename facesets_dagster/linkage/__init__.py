"""Exact average linkage on cosine distance without a matrix of distances.

Two clusters whose average distance is at most T hold a pair within T. So the graph of pairs within T has all that is
needed: it is made in tiles (`finders`, `codes`, `products`, `graph`), kept in memory or on disk (`scratch`), and
solved by a chain of nearest neighbours over sparse lists (`chain`, `kernels`, `dots`). Memory is linear in rows and
edges. The reasons and figures are in docs/decisions/clustering.md.

`solving.average_merges` is the door; `merges.Merges` is what it gives.
"""

from facesets_dagster.linkage.merges import Merges, by_size
from facesets_dagster.linkage.solving import Progress, average_merges

__all__ = ["Merges", "Progress", "average_merges", "by_size"]
