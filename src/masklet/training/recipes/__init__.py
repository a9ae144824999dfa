"""Recipes by name: functions from a data folder to a run, with the expected score, cost and hardware."""

from __future__ import annotations

from collections.abc import Callable

from ..recipe import Recipe
from .nano import nano, nano_further

RECIPES: dict[str, Callable[[str], Recipe]] = {"nano": nano, "nano-further": nano_further}
