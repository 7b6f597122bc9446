"""The demonstration: learn, ask, kill a writer, ask again. Run by `python -m sutra_core.demo`.

Invariant: every figure it prints was measured in this run, and it fails if any check does.
"""
