"""Cleaning as a recipe says it: which steps run, in which order, and which rules decide.

catalogue   every step by the name that recipes use
settings    the part of a recipe that says what is measured, edited and rejected
worker      the child process: batches in, what the steps made of them out
sandbox     the parent's side: finds the document that ends a child, and goes on with the others
"""
