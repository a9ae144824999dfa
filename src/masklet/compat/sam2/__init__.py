"""The official ``sam2`` package: ``sam2.`` becomes ``masklet.compat.sam2.`` in imports, and nothing else changes.

Differences that remain are listed in docs/compat.md.
"""
