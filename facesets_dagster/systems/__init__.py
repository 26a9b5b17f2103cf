"""The legacy scripts' other systems: one domain call for each asset beside the main chain.

Above `library`, through which everything is published (`library.updating`), and below `assets`. No Dagster.
"""
