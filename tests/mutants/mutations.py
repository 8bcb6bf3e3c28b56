"""All deliberate mistakes. Each text to replace stands exactly once in its file (a test holds that)."""

from __future__ import annotations

from tests.mutants.mutation import Mutation
from tests.mutants.proving import PROVING
from tests.mutants.serving import JUDGING, SERVING
from tests.mutants.storing import BATCH, LANDING, STORING

MUTATIONS: tuple[Mutation, ...] = (*STORING, *LANDING, *BATCH, *JUDGING, *SERVING, *PROVING)
