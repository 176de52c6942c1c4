"""Cleaning as a recipe says it: which steps run, in which order, and which rules decide.

catalogue   every step by the name that recipes use
settings    the part of a recipe that says what is measured, edited and rejected
"""
