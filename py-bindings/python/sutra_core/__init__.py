"""Explainable knowledge memory: learns from plain text, answers, and says how it knows.

    from sutra_core.reasoning.engine import ReasoningEngine

    with ReasoningEngine("./knowledge") as engine:
        engine.learn("A dog is a mammal.", source="zoology.txt")
        engine.learn("Mammals are animals.")
        print(engine.explain("Is a dog an animal?"))

Layers, bottom to top: `graph` (what is known), `storage` (where it lies), `nlp` and `learning` (how
text becomes knowledge), `reasoning` (how knowledge becomes answers). Invariant: all knowledge is in
the store, none in Python.
"""
