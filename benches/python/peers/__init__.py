"""What a user would pick instead for vector search, each behind the same few methods.

Invariant: a peer's library is imported by its own module alone, so that one that is missing, or
that crashes on a processor, takes nothing else with it.
"""
