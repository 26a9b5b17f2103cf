"""Clusters of rows by their distances; knows no face. Average linkage is exact, without a matrix of distances.

Two clusters whose average distance is at most T hold a pair within T. So the graph of pairs within T has all that is
needed: it is made in tiles (`finders`, `codes`, `products`, `graph`), kept in memory or on disk (`scratch`), and
solved by a chain of nearest neighbours over sparse lists (`chain`, `chain_kernels`, `dots`). Memory is linear in rows
and edges. The reasons and figures are in docs/decisions/clustering.md.

`average_merges` returns `Merges`; labels at any lower distance are cut from them.
"""

from facesets_dagster.linkage.complete import APART, complete_linkage
from facesets_dagster.linkage.connected import connected
from facesets_dagster.linkage.merges import Merges, by_size
from facesets_dagster.linkage.near import near_pairs
from facesets_dagster.linkage.solving import Progress, average_merges

__all__ = ["APART", "Merges", "Progress", "average_merges", "by_size", "complete_linkage", "connected", "near_pairs"]
