"""Adapters: one module per public data set, one simulator, one adapter for a user's own tables.

Every adapter returns :class:`pipelines.datasets.base.RawData`; :func:`pipelines.datasets.registry.load` finds
the adapter by name.
"""
