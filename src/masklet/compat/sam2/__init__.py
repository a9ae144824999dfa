"""The official ``sam2`` package: ``sam2.`` becomes ``masklet.compat.sam2.`` in imports, and nothing else changes.

Differences that remain: a mask prompt without any pixel is refused, and a frame whose prompts are cleared is forgotten
instead of kept as ordinary memory.
"""
